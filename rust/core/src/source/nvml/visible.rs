//! Which GPUs a program may use: `CUDA_VISIBLE_DEVICES` and the setting `gpus`, as CUDA reads them.
//!
//! NVML itself ignores the variable. Its index is the order of PCI addresses, while CUDA counts the fastest card first
//! unless `CUDA_DEVICE_ORDER=PCI_BUS_ID`: a number says which card only with that order or among equal cards.

/// What tells one GPU from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `GPU-...`.
    pub uuid: String,
    /// Product name.
    pub name: String,
    /// UUIDs of its slices, `MIG-...`.
    pub slices: Vec<String>,
}

/// A GPU that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its place in NVML's order.
    pub index: usize,
    /// Its first place in CUDA's order, where the program may use it.
    pub cuda_index: Option<usize>,
    /// The slices of it that were asked for; empty for the whole GPU. Energy is the whole GPU's all the same.
    pub slices: Vec<String>,
}

/// What a list of GPUs means on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Each GPU once.
    pub chosen: Vec<Chosen>,
    /// The first entry that names nothing here. As in CUDA, it ends the list.
    pub stopped_at: Option<String>,
    /// Whether numbers may mean other cards than those chosen: CUDA's order is not NVML's.
    pub order_uncertain: bool,
}

/// Reads a list. `None` (not set) is every GPU, an empty list none.
pub fn select(list: Option<&str>, device_order: Option<&str>, gpus: &[Identity]) -> Selection {
    let Some(list) = list else { return everything(device_order, gpus) };
    let mut selection = Selection::default();
    let mut numbers = false;
    for (cuda_index, entry) in list.split(',').map(str::trim).enumerate() {
        let Some((index, slice)) = find(entry, gpus) else {
            selection.stopped_at = (!entry.is_empty()).then(|| entry.to_owned());
            break;
        };
        numbers |= slice.is_none() && entry.parse::<usize>().is_ok();
        add(&mut selection.chosen, index, cuda_index, slice);
    }
    selection.order_uncertain = numbers && order_uncertain(device_order, gpus);
    selection
}

fn everything(device_order: Option<&str>, gpus: &[Identity]) -> Selection {
    let chosen = (0..gpus.len()).map(|index| Chosen { index, cuda_index: Some(index), slices: Vec::new() });
    // All of them in whatever order: only their CUDA indices are in doubt.
    Selection { chosen: chosen.collect(), stopped_at: None, order_uncertain: order_uncertain(device_order, gpus) }
}

fn order_uncertain(device_order: Option<&str>, gpus: &[Identity]) -> bool {
    // A GPU that does not answer has no name, and may be any.
    let equal = gpus.windows(2).all(|pair| pair[0].name == pair[1].name);
    device_order != Some("PCI_BUS_ID") && !equal
}

/// The GPU that an entry names, and the slice if it names one.
fn find(entry: &str, gpus: &[Identity]) -> Option<(usize, Option<String>)> {
    if let Ok(index) = entry.parse::<usize>() {
        return (index < gpus.len()).then_some((index, None));
    }
    if entry.starts_with("MIG-GPU-") {
        return by_old_slice(entry, gpus);
    }
    if entry.starts_with("MIG-") {
        let has = |gpu: &Identity| gpu.slices.iter().any(|slice| slice == entry);
        return gpus.iter().position(has).map(|index| (index, Some(entry.to_owned())));
    }
    by_prefix(entry, gpus).map(|index| (index, None))
}

/// `GPU-` and as many digits as tell one card from the others.
fn by_prefix(entry: &str, gpus: &[Identity]) -> Option<usize> {
    if !entry.starts_with("GPU-") {
        return None;
    }
    let mut matching = gpus.iter().enumerate().filter(|(_, gpu)| gpu.uuid.starts_with(entry));
    let (index, _) = matching.next()?;
    matching.next().is_none().then_some(index)
}

/// `MIG-GPU-<uuid>/<gpu instance>/<compute instance>`, as drivers before 470 write it.
fn by_old_slice(entry: &str, gpus: &[Identity]) -> Option<(usize, Option<String>)> {
    let uuid = entry.strip_prefix("MIG-")?.split('/').next()?;
    let index = gpus.iter().position(|gpu| gpu.uuid == uuid)?;
    Some((index, Some(entry.to_owned())))
}

/// A GPU is counted once, however many of its slices are listed.
fn add(chosen: &mut Vec<Chosen>, index: usize, cuda_index: usize, slice: Option<String>) {
    match chosen.iter_mut().find(|known| known.index == index) {
        Some(known) => known.slices.extend(slice),
        None => chosen.push(Chosen { index, cuda_index: Some(cuda_index), slices: slice.into_iter().collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn machine() -> Vec<Identity> {
        let gpu = |uuid: &str, slices: &[&str]| Identity {
            uuid: uuid.to_owned(),
            name: "H100".to_owned(),
            slices: slices.iter().map(|slice| (*slice).to_owned()).collect(),
        };
        vec![
            gpu("GPU-8932f937-aaaa", &[]),
            gpu("GPU-8932aaaa-bbbb", &[]),
            gpu("GPU-c0ffee00-cccc", &["MIG-1", "MIG-2"]),
        ]
    }

    fn chosen(list: &str) -> Vec<usize> {
        select(Some(list), None, &machine()).chosen.iter().map(|one| one.index).collect()
    }

    #[test]
    fn not_set_is_every_gpu_and_empty_is_none() {
        assert_eq!(select(None, None, &machine()).chosen.len(), 3);
        assert_eq!(select(Some(""), None, &machine()), Selection::default());
    }

    #[test]
    fn numbers_and_uuid_prefixes_name_gpus_in_the_order_given() {
        assert_eq!(chosen("2,0"), [2, 0]);
        assert_eq!(chosen("GPU-c0ffee00"), [2]);
        assert_eq!(chosen("GPU-8932f937-aaaa, 1"), [0, 1]);
        let selection = select(Some("2,0"), None, &machine());
        assert_eq!(selection.chosen[1].cuda_index, Some(1));
    }

    #[test]
    fn the_first_entry_that_names_nothing_ends_the_list() {
        for (list, kept) in [("0,-1,1", vec![0]), ("1,7,0", vec![1]), ("0,GPU-8932,1", vec![0]), ("x", vec![])] {
            let selection = select(Some(list), None, &machine());
            assert_eq!(selection.chosen.iter().map(|one| one.index).collect::<Vec<_>>(), kept, "{list}");
            assert!(selection.stopped_at.is_some(), "{list}");
        }
    }

    #[test]
    fn slices_stand_for_their_whole_gpu_which_is_counted_once() {
        let selection = select(Some("MIG-1,MIG-2"), None, &machine());
        assert_eq!(selection.chosen.len(), 1);
        assert_eq!(selection.chosen[0].slices, ["MIG-1", "MIG-2"]);
        assert_eq!(chosen("MIG-GPU-c0ffee00-cccc/1/0"), [2]);
        assert_eq!(chosen("MIG-3"), [] as [usize; 0]);
    }

    #[test]
    fn numbers_are_uncertain_among_unequal_cards_unless_the_order_is_pci() {
        let mut gpus = machine();
        assert!(!select(Some("0"), None, &gpus).order_uncertain);
        gpus[1].name = "A40".to_owned();
        assert!(select(Some("0"), None, &gpus).order_uncertain);
        assert!(select(Some("0"), Some("FASTEST_FIRST"), &gpus).order_uncertain);
        assert!(!select(Some("0"), Some("PCI_BUS_ID"), &gpus).order_uncertain);
        assert!(!select(Some("GPU-c0ffee00"), None, &gpus).order_uncertain);
    }

    proptest! {
        /// Whatever is written there, each GPU is chosen at most once and exists.
        #[test]
        fn no_list_chooses_a_gpu_twice(list in "[0-9,A-Za-z/ -]{0,40}") {
            let selection = select(Some(&list), None, &machine());
            let mut indices: Vec<usize> = selection.chosen.iter().map(|one| one.index).collect();
            prop_assert!(indices.iter().all(|index| *index < 3));
            indices.sort_unstable();
            indices.dedup();
            prop_assert_eq!(indices.len(), selection.chosen.len());
        }
    }
}
