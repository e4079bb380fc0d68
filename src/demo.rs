//! placeholder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}
pub(crate) fn run(_a: &Args, _c: &crate::config::Config, _p: &std::path::Path, _o: &mut dyn std::io::Write) -> anyhow::Result<()> { Ok(()) }
