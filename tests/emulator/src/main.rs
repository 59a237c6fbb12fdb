//! How the emulator is started and how it ends.
//!
//! `eco2ai-fast-emulator MOUNTPOINT --spec FILE` serves a machine until a signal, `--max-seconds` or, with
//! `--with-parent`, the end of its standard input, and leaves nothing mounted.
//! `eco2ai-fast-emulator --truth --spec FILE` answers from the closed forms alone: for each line
//! `DOMAIN T_NS` on standard input the energy in femtojoules from the epoch to then, and the reading.

mod attributes;
mod command_line;
mod fault;
mod fs;
mod layout;
mod machine;
mod meter;
mod power;
mod random;
mod serve;
mod spec;
mod telegraph;
mod ticks;
mod tree;
mod truth;

use std::io::{self, Write};
use std::process::ExitCode;

use command_line::Command;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(io::stderr(), "eco2ai-fast-emulator: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    match Command::parse(std::env::args().skip(1))? {
        Command::Serve(options) => serve::serve(&options)?,
        Command::Truth { spec } => truth::answer(&machine::Machine::load(&spec)?)?,
    }
    Ok(())
}
