//! End to end: the real program on data directories of its own, against the oracle and against itself.
//!
//! Invariants: a test starts from an empty directory and leaves nothing behind; randomness is seeded. What is compared:
//! every record of every metric topic and of the alerts, by key and in order ([`data::Data::sequences`]), and every row
//! of the store ([`data::Data::rows`]). Helpers: [`data`] runs the program, [`generated`] makes events,
//! [`http`] talks to a live door, [`fleet`] runs processes on a real Kafka, [`network`] breaks their connections.

#![cfg(test)]

mod alerts;
mod answers;
mod api;
mod backtest;
mod browser;
mod calendar;
mod cardinality;
mod cases;
mod cdnow;
mod chaos;
mod company;
mod company_fleet;
mod data;
mod definitions;
mod demo;
mod docs;
mod door;
mod explain;
mod fence;
mod fetched;
mod files;
mod first_build;
mod fleet;
mod forms;
mod generated;
mod goals;
mod grafana;
mod guests;
mod history;
mod http;
mod ingest;
mod kill;
mod layers;
mod maps;
mod merged;
mod merges;
mod messages;
mod network;
mod notify;
mod oracle;
mod outcomes;
mod partitions;
mod rebuild;
mod reporting;
mod sdk;
mod stages;
mod subscribers;
mod tables;
mod tickets;
mod topics;
mod up;
mod usual;
