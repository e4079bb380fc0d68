//! README and `docs/`: every command in them works and prints what they show; every link leads somewhere.
//!
//! How a page is read, from its top to its end, in one folder and one shell:
//! - in a fence ```` ```console ```` a line that starts with `$ ` is a command, the lines under it are its output. A line
//!   `...` stands for any number of lines. A command without shown output may print what it likes.
//! - "Save this as `NAME`:" before a fence makes that file.
//! - `127.0.0.1:8080` and the local broker's port are exchanged for free ones.
//!
//! Commands in [`ELSEWHERE`] are not run here, each for its reason. Where a page needs Java or Python's data and they are
//! absent, it says so and is skipped, but fails in CI. Links to other sites are not followed.

use std::{
    collections::BTreeMap,
    env, fs,
    net::TcpListener,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Commands that a test does not run: how they begin, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("make", "builds everything or runs these tests; CI runs `make test` and `make lint`"),
    ("cargo", "builds everything or runs these tests"),
    ("git clone", "needs the address of a forge"),
    ("docker", "needs Docker; the compose file is text only"),
];

/// A command of a page, with its place and the output that the page shows.
#[derive(Debug)]
struct Step {
    line: usize,
    command: String,
    shown: Vec<String>,
}

/// What a page asks for, in its order.
#[derive(Debug)]
enum Part {
    File(String, String),
    Step(Step),
}

/// README and every page of `docs/`, with paths from the root.
fn pages() -> Vec<String> {
    let names = fs::read_dir(Path::new(ROOT).join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut pages: Vec<String> = names
        .map(|name| format!("docs/{}", name.to_str().unwrap()))
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push("README.md".to_owned());
    pages.sort();
    pages
}

fn read(page: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(page)).unwrap()
}

/// The fenced blocks of a page: line of the first line in it, language, the text line before it, its lines.
fn fences(text: &str) -> Vec<(usize, String, String, Vec<String>)> {
    let mut fences = Vec::new();
    let mut before = String::new();
    let mut open: Option<(usize, String, Vec<String>)> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim().strip_prefix("```")) {
            (None, Some(language)) => open = Some((index + 2, language.to_owned(), Vec::new())),
            (Some(_), Some(_)) => {
                let (first, language, lines) = open.take().unwrap();
                fences.push((first, language, std::mem::take(&mut before), lines));
            }
            (Some((.., lines)), None) => lines.push(line.to_owned()),
            (None, None) if !line.trim().is_empty() => before = line.to_owned(),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is never closed");
    fences
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (first, language, before, lines) in fences(text) {
        let name = before.trim_end().strip_suffix("`:").and_then(|rest| rest.rsplit_once(" as `"));
        if let Some((_, name)) = name {
            parts.push(Part::File(name.to_owned(), lines.join("\n") + "\n"));
        } else if language == "console" {
            parts.extend(steps(first, &lines).into_iter().map(Part::Step));
        }
    }
    parts
}

/// The commands of a console block; a command goes on after a backslash, and inside of `<<'END'`.
fn steps(first: usize, lines: &[String]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut goes_on = false;
    for (index, line) in lines.iter().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: first + index, command: command.to_owned(), shown: Vec::new() });
        } else if goes_on {
            let command = &mut steps.last_mut().unwrap().command;
            command.push('\n');
            command.push_str(line);
        } else {
            let step = steps.last_mut().unwrap_or_else(|| panic!("line {}: output before a command", first + index));
            step.shown.push(line.trim_end().to_owned());
            continue;
        }
        let command = &steps.last().unwrap().command;
        let inside = command.contains("<<'END'") && !command.ends_with("\nEND");
        goes_on = inside || command.ends_with('\\');
    }
    steps
}

/// Whether the output is what the page shows.
fn shows(shown: &[String], found: &[&str]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((line, rest)) if line == "..." => (0..=found.len()).any(|skipped| shows(rest, &found[skipped..])),
        Some((line, rest)) => found.first().is_some_and(|first| first == line) && shows(rest, &found[1..]),
    }
}

/// A folder like a clone after `make build`; a copy, as a page may overwrite what it likes. Without what builds leave in the
/// tree: other tests change that at the same time.
fn clone() -> TempDir {
    let folder = TempDir::new().unwrap();
    let left_out = ["./target", "./.git", "./vitals-data", "node_modules"].map(|name| format!("--exclude={name}"));
    let mut pack = Command::new("tar");
    pack.args(left_out).args(["-cf", "-", "."]).current_dir(ROOT).stdout(Stdio::piped());
    let mut pack = pack.spawn().unwrap();
    let unpack =
        Command::new("tar").args(["-xf", "-"]).current_dir(&folder).stdin(pack.stdout.take().unwrap()).status();
    assert!(unpack.unwrap().success() && pack.wait().unwrap().success());
    let release = folder.path().join("target/release");
    fs::create_dir_all(&release).unwrap();
    symlink(env!("CARGO_BIN_EXE_vitals"), release.join("vitals")).unwrap();
    folder
}

/// Begins a line of the script's own between the outputs of two commands.
const MARK: char = '\u{1e}';

/// Begins the script: what runs in the background ends with it, a local broker too.
const START: &str = "\
shopt -s expand_aliases
exec 2>&1
trap 'kill $(jobs -p) 2>/dev/null; wait; [ ! -d broker ] || deploy/kafka/broker.sh stop broker' EXIT
";

/// One shell script of all the commands; each says its line before, and its status after.
fn script(parts: &[Part]) -> String {
    let mut script = String::from(START);
    for part in parts {
        match part {
            Part::File(name, text) => {
                script += &format!("mkdir -p \"$(dirname {name})\"\ncat >{name} <<'END OF FILE'\n{text}END OF FILE\n");
            }
            Part::Step(step) if elsewhere(&step.command) => {}
            Part::Step(Step { line, command, .. }) => {
                script += &format!("printf '{MARK}{line}\\n'\n{command}\nprintf '{MARK}= %s\\n' $?\n");
            }
        }
    }
    script
}

fn elsewhere(command: &str) -> bool {
    ELSEWHERE.iter().any(|(start, _)| command.starts_with(start))
}

/// Output and exit status of each command, by its line.
fn run(folder: &Path, script: &str) -> BTreeMap<usize, (String, String)> {
    let path = format!("{}:{}", folder.join("target/release").display(), env::var("PATH").unwrap());
    let file = folder.join("page.sh");
    fs::write(&file, script).unwrap();
    let output = Command::new("bash")
        .arg(&file)
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("VITALS_DATA")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();

    let mut outcomes = BTreeMap::new();
    for piece in text.split(&format!("{MARK}")).skip(1) {
        let (head, rest) = piece.split_once('\n').unwrap_or((piece, ""));
        match head.strip_prefix("= ") {
            None => drop(outcomes.insert(head.parse().unwrap(), (rest.to_owned(), String::new()))),
            Some(status) => outcomes.last_entry().unwrap().get_mut().1 = status.to_owned(),
        }
    }
    outcomes
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Why a page cannot be run on this machine.
fn lacks(text: &str) -> Option<&'static str> {
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    [("broker.sh", "java"), ("pip ", "pip"), ("curl ", "curl"), ("kcat ", "kcat")]
        .into_iter()
        .find(|(used, program)| text.contains(used) && !has(program))
        .map(|(_, program)| program)
}

/// Runs a page and returns every problem, a line each; none is "".
fn check(page: &str) -> String {
    let text = read(page).replace("127.0.0.1:8080", &format!("127.0.0.1:{}", free_port()));
    if let Some(program) = lacks(&text) {
        assert!(env::var_os("CI").is_none(), "{program} is needed in CI for {page}");
        eprintln!("SKIPPED: no {program}, so the commands of {page} are not tried");
        return String::new();
    }
    let parts = parts(&text);
    let folder = clone();
    let outcomes = run(folder.path(), &script(&parts));

    let mut problems = String::new();
    for part in &parts {
        let Part::Step(step) = part else { continue };
        if elsewhere(&step.command) {
            continue;
        }
        let Some((found, status)) = outcomes.get(&step.line) else {
            problems += &format!("{page}:{}: `{}` was never reached\n", step.line, step.command);
            continue;
        };
        let lines: Vec<&str> = found.lines().map(str::trim_end).collect();
        let as_shown = step.shown.is_empty() || shows(&step.shown, &lines);
        if !as_shown || (status != "0" && step.shown.is_empty()) {
            problems += &format!("{page}:{}: `{}` ends with {status}:\n{found}\n", step.line, step.command);
        }
    }
    problems
}

#[test]
fn the_commands_of_every_page_print_what_the_page_shows() {
    let problems: String = pages().iter().map(|page| check(page)).collect();
    assert!(problems.is_empty(), "{problems}");
}

/// How forges make an anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// Targets of the links of a page, with the text outside of fences only.
fn links(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut links = Vec::new();
    for line in text.lines() {
        inside ^= line.trim().starts_with("```");
        if !inside {
            links.extend(line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to.to_owned()));
        }
    }
    links
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut broken = Vec::new();
    for page in pages().into_iter().chain(["deploy/telemetry.md".to_owned(), "deploy/subscribers.md".to_owned()]) {
        let text = read(&page);
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(ROOT).join(&page).parent().unwrap().to_owned();
            let target: PathBuf = if path.is_empty() { Path::new(ROOT).join(&page) } else { folder.join(path) };
            let there = target.exists()
                && (heading.is_empty()
                    || fs::read_to_string(&target)
                        .unwrap()
                        .lines()
                        .any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#')) == heading));
            if !there {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_page_is_read_as_documented() {
    let text = "Save this as `a/b.txt`:\n\n```text\none\n```\n\n```console\n$ cat a/b.txt\none\n$ true\n```\n";
    let parts = parts(text);
    assert!(matches!(&parts[0], Part::File(name, text) if name == "a/b.txt" && text == "one\n"));
    let Part::Step(step) = &parts[1] else { panic!("no command") };
    assert_eq!((step.line, step.command.as_str(), step.shown.len()), (8, "cat a/b.txt", 1));

    let shown = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(shows(&shown(&["a", "...", "d"]), &["a", "b", "c", "d"]));
    assert!(!shows(&shown(&["a", "...", "d"]), &["a", "b", "c"]));
    assert!(!shows(&shown(&["a"]), &["a", "b"]));
}
