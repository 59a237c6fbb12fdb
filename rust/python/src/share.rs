//! Shares of a curve's energy: arrays in, arrays out.

use eco2ai_fast_core::span::{nest, share};
use eco2ai_fast_core::units;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::guarded;

/// Places of instants in an ascending series, and whole weights: what the shares are computed from.
#[allow(clippy::similar_names)] // as in the columns
fn claims(t_ns: &[u64], t0_ns: &[u64], t1_ns: &[u64], weights: Option<&[f64]>) -> PyResult<Vec<share::Claim>> {
    let weights = weights.map_or_else(|| vec![1; t0_ns.len()], share::whole_weights);
    if t0_ns.len() != t1_ns.len() || t0_ns.len() != weights.len() || !t_ns.is_sorted_by(|a, b| a < b) {
        return Err(PyValueError::new_err("t0_ns, t1_ns and weights must be of one length, and t_ns ascending"));
    }
    let place = |at_ns: &u64| {
        let missing = |_| PyValueError::new_err(format!("the curve has no height at {at_ns} ns"));
        t_ns.binary_search(at_ns).map_err(missing)
    };
    let ends = t0_ns.iter().zip(t1_ns).zip(weights);
    ends.map(|((t0_ns, t1_ns), weight)| Ok(share::Claim { first: place(t0_ns)?, last: place(t1_ns)?, weight }))
        .collect()
}

/// Parts, idle energy and rest, in microjoules.
#[pyfunction]
#[pyo3(signature = (t_ns, energy_uj, t0_ns, t1_ns, weights=None, idle_w=0.0))]
#[allow(clippy::needless_pass_by_value, clippy::similar_names)] // PyO3 hands arrays over by value; Python's own names
pub fn shares<'py>(
    py: Python<'py>,
    t_ns: PyReadonlyArray1<'py, u64>,
    energy_uj: PyReadonlyArray1<'py, u64>,
    t0_ns: PyReadonlyArray1<'py, u64>,
    t1_ns: PyReadonlyArray1<'py, u64>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    idle_w: f64,
) -> PyResult<(Bound<'py, PyArray1<u64>>, u64, u64)> {
    let weights = weights.as_ref().map(PyReadonlyArray1::as_slice).transpose()?;
    let heights = share::Heights { t_ns: t_ns.as_slice()?, energy_uj: energy_uj.as_slice()? };
    let claims = claims(heights.t_ns, t0_ns.as_slice()?, t1_ns.as_slice()?, weights)?;
    if heights.t_ns.len() != heights.energy_uj.len() {
        return Err(PyValueError::new_err("t_ns and energy_uj must be of one length"));
    }
    let shares = guarded(|| Ok(share::share(heights, &claims, units::microwatts(idle_w))))?;
    Ok((shares.parts_uj.into_pyarray(py), shares.idle_uj, shares.rest_uj))
}

/// One sigma of each part, in microjoules.
#[pyfunction]
#[pyo3(signature = (t_ns, sigma_uj, t0_ns, t1_ns, weights=None, grain_ns=0))]
#[allow(clippy::needless_pass_by_value, clippy::similar_names)] // PyO3 hands arrays over by value; Python's own names
pub fn share_sigmas<'py>(
    py: Python<'py>,
    t_ns: PyReadonlyArray1<'py, u64>,
    sigma_uj: PyReadonlyArray1<'py, f64>,
    t0_ns: PyReadonlyArray1<'py, u64>,
    t1_ns: PyReadonlyArray1<'py, u64>,
    weights: Option<PyReadonlyArray1<'py, f64>>,
    grain_ns: u64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let weights = weights.as_ref().map(PyReadonlyArray1::as_slice).transpose()?;
    let (t_ns, sigma_uj) = (t_ns.as_slice()?, sigma_uj.as_slice()?);
    let claims = claims(t_ns, t0_ns.as_slice()?, t1_ns.as_slice()?, weights)?;
    if t_ns.len() != sigma_uj.len() {
        return Err(PyValueError::new_err("t_ns and sigma_uj must be of one length"));
    }
    Ok(guarded(|| Ok(share::sigmas(t_ns, sigma_uj, &claims, grain_ns)))?.into_pyarray(py))
}

/// Pieces of time: places of their owners, begins, ends.
type Pieces<'py> = (Bound<'py, PyArray1<usize>>, Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<u64>>);

/// The time of each lane cut into pieces, each owned by the span that began last and still lasts.
#[pyfunction]
#[allow(clippy::needless_pass_by_value, clippy::similar_names)] // PyO3 hands arrays over by value; Python's own names
pub fn own_time<'py>(
    py: Python<'py>,
    lane: PyReadonlyArray1<'py, u64>,
    t0_ns: PyReadonlyArray1<'py, u64>,
    t1_ns: PyReadonlyArray1<'py, u64>,
) -> PyResult<Pieces<'py>> {
    let columns = lane.as_slice()?.iter().zip(t0_ns.as_slice()?).zip(t1_ns.as_slice()?);
    let extents: Vec<_> =
        columns.map(|((lane, t0_ns), t1_ns)| nest::Extent { lane: *lane, t0_ns: *t0_ns, t1_ns: *t1_ns }).collect();
    let pieces = guarded(|| Ok(nest::own_time(&extents)))?;
    Ok((
        pieces.iter().map(|piece| piece.owner).collect::<Vec<_>>().into_pyarray(py),
        pieces.iter().map(|piece| piece.t0_ns).collect::<Vec<_>>().into_pyarray(py),
        pieces.iter().map(|piece| piece.t1_ns).collect::<Vec<_>>().into_pyarray(py),
    ))
}
