//! The contract: events, ticks, partials, snapshots, alert transitions and dead letters as protobuf.
//!
//! Types and the table of the vocabulary, no behaviour. The `.proto` files beside this crate are what other programs compile;
//! they are additive, which `tests/additive.rs` holds to a committed descriptor.

pub use prost::{self, Message, bytes};

pub mod vocabulary;

/// Version 1 of every message; see the `.proto` files for units and keys.
pub mod v1 {
    #![expect(missing_docs, clippy::large_enum_variant, reason = "generated; documented in the .proto files")]
    include!(concat!(env!("OUT_DIR"), "/vitals.v1.rs"));
}

/// The compiled `FileDescriptorSet` of the contract, for schema registries and reflection.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
