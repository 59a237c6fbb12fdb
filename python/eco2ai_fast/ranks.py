"""Several processes of one job on one host see the same meters: which of them this one is."""

from __future__ import annotations

import os

# Rank on the host, and number of ranks there, as torchrun, Slurm, Open MPI, MPICH and Intel MPI, and MVAPICH tell them.
LAUNCHERS = (
    ("LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    ("SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"),
    ("OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    ("MV2_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_SIZE"),
)

_warned = False


class Rank:
    """This process among those of its job on this host.

    Attributes:
        local: its number, from 0.
        size: how many there are; None if the launcher does not say.
        variable: the environment variable that told.
    """

    __slots__ = ("local", "size", "variable")

    def __init__(self, local: int, size: int | None, variable: str) -> None:
        self.local = local
        self.size = size
        self.variable = variable

    @property
    def is_shared(self) -> bool:
        """Whether others are known to be there."""
        return self.local > 0 or (self.size or 1) > 1

    def __repr__(self) -> str:
        return f"<Rank {self.local} of {self.size or 'unknown'} on this host, from {self.variable}>"


def rank() -> Rank | None:
    """The rank that a launcher gave this process; None without one."""
    for rank_name, size_name in LAUNCHERS:
        local, size = os.environ.get(rank_name, ""), os.environ.get(size_name, "")
        if local.isdigit():
            return Rank(int(local), int(size) if size.isdigit() else None, rank_name)
    return None


def warn_if_shared() -> None:
    """Warns once in a process that the meters it starts are those of all ranks on this host."""
    global _warned
    this = rank()
    if this is None or not this.is_shared or _warned:
        return
    _warned = True
    import warnings

    others = f"all {this.size} ranks" if this.size else "all ranks"
    warnings.warn(
        f"{this.variable}={this.local}: {others} on this host read the same meters, so that each measures the energy of"
        " all. Measure in local rank 0 alone, or do not add the ranks up: spans.rank says which one a record is of",
        stacklevel=3,
    )
