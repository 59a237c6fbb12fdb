//! Energy of this machine, read from its own meters.
