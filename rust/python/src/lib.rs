//! The binding of the energy core: it translates and decides nothing.
#![allow(missing_docs)]

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
