//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

/// Printed with every mistake.
const USAGE: &str = "usage: eco2ai-fast-emulator MOUNTPOINT --spec FILE.json [--with-parent] [--max-seconds N]
       eco2ai-fast-emulator --truth --spec FILE.json < times";

/// What to do.
pub enum Command {
    /// Mount and serve.
    Serve(Options),
    /// Answer from the closed forms.
    Truth {
        /// The machine.
        spec: PathBuf,
    },
}

/// How to serve.
pub struct Options {
    /// An existing directory.
    pub mountpoint: PathBuf,
    /// The machine.
    pub spec: PathBuf,
    /// End when standard input ends: the parent holds a pipe to it and its death closes that.
    pub with_parent: bool,
    /// End after this time.
    pub max: Duration,
}

impl Command {
    /// From the arguments after the program's name.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut mountpoint, mut spec, mut truth, mut with_parent, mut max) = (None, None, false, false, Duration::MAX);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--truth" => truth = true,
                "--with-parent" => with_parent = true,
                "--spec" => spec = Some(value(&arg, args.next())?.into()),
                "--max-seconds" => max = seconds(&value(&arg, args.next())?)?,
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}\n{USAGE}"));
                }
                _ => mountpoint = Some(arg.into()),
            }
        }
        let spec = spec.ok_or_else(|| format!("no --spec\n{USAGE}"))?;
        if truth {
            return Ok(Self::Truth { spec });
        }
        let mountpoint = mountpoint.ok_or_else(|| format!("no mountpoint\n{USAGE}"))?;
        Ok(Self::Serve(Options { mountpoint, spec, with_parent, max }))
    }
}

fn value(option: &str, value: Option<String>) -> Result<String, String> {
    value.ok_or_else(|| format!("{option} needs a value\n{USAGE}"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|_| format!("--max-seconds: {text:?} is not a whole number"))
}
