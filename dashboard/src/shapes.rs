//! What the document says of parameters beside their types: their texts by name, as [`Params`](crate::params::Params) and
//! [`name`](crate::asked::name) take them, and how requests are refused.
//!
//! What has the shape and does not fit (a window that the metric does not have) is a 422, what does not have it a 400.

use utoipa::{
    Modify,
    openapi::{
        Content, ObjectBuilder, OpenApi, RefOr, Response, Schema,
        path::{Operation, Parameter, ParameterIn},
        schema::{SchemaType, Type},
    },
};

use crate::{asked::NAME_MAX, params::LENGTH_MAX};

/// No control characters.
const TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// At least one character.
const NEEDED: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";

/// Adds the shapes to a document.
pub(crate) struct Shapes;

impl Modify for Shapes {
    fn modify(&self, document: &mut OpenApi) {
        for item in document.paths.paths.values_mut() {
            let all = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            all.into_iter().flatten().for_each(operation);
        }
    }
}

fn operation(operation: &mut Operation) {
    let parameters = operation.parameters.iter_mut().flatten();
    let mut asks = operation.request_body.is_some();
    for parameter in parameters {
        asks = true;
        shape(parameter);
    }
    sheets(operation);
    let refused: &[(&str, &str)] = match asks {
        true => &[("400", "What is asked is not as this document says"), ("422", "It is, and does not fit")],
        false => &[],
    };
    let busy = ("503", "It may be answered in a moment");
    for (status, description) in refused.iter().copied().chain([busy]) {
        let response = || RefOr::T(Response::new(description));
        operation.responses.responses.entry(status.to_owned()).or_insert_with(response);
    }
}

/// The other form of an answer that has one.
fn sheets(operation: &mut Operation) {
    let takes = |name: &str| operation.parameters.iter().flatten().any(|parameter| parameter.name == name);
    let is_board = operation.tags.iter().flatten().any(|tag| tag == "dashboards");
    if takes("format")
        && let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200")
    {
        let sheet = || ObjectBuilder::new().schema_type(Type::String).build();
        let (kind, content) = match response.content.get("application/json") {
            Some(same) if is_board => ("application/yaml", same.clone()),
            _ => ("text/csv", Content::new(Some(RefOr::T(Schema::Object(sheet()))))),
        };
        response.content.insert(kind.to_owned(), content);
    }
}

fn shape(parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { return };
    if !matches!(schema.schema_type, SchemaType::Type(Type::String)) {
        return;
    }
    match parameter.parameter_in {
        ParameterIn::Path => {
            (schema.min_length, schema.max_length) = (Some(1), Some(NAME_MAX));
        }
        ParameterIn::Query => {
            schema.max_length = Some(LENGTH_MAX);
            schema.pattern =
                Some(text(&parameter.name, parameter.required == utoipa::openapi::Required::True).to_owned());
        }
        _ => {}
    }
}

/// The texts of a parameter; where it may be left out, the empty one is as good.
fn text(name: &str, is_needed: bool) -> &'static str {
    match name {
        "window" => "^(1h|1d|1w|1mo|1q|1y|to-date|trailing [1-9][0-9]{0,3}d|[2-9]d|[1-9][0-9]{1,3}d)?$",
        "compare" => "^(before|year|none)?$",
        "format" => "^(json|csv|yaml)?$",
        "sort" => "^(score|-score|fall|value|last_seen)?$",
        "state" => "^(inactive|pending|firing|resolved|acknowledged|silenced)?$",
        "segment" => r"^([^\x00-\x1f\x7f-\x9f:]+:[^\x00-\x1f\x7f-\x9f]*)?$",
        _ if is_needed => NEEDED,
        _ => TEXT,
    }
}
