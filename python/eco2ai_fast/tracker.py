"""`Tracker`: a run or a training, from start to stop, and its row in a CSV file. eco2AI's interface."""

from __future__ import annotations

import time
import warnings
from _thread import RLock

from . import settings
from ._core import EnergyError
from .gpus import keeper
from .stopwatch import implicit_meter
from .tracking import arguments, live, machine, place
from .tracking.errors import IncorrectMethodSequenceError, TrackerWarning
from .tracking.output import Output
from .tracking.record import TrackerRecord
from .tracking.refresher import Refresher
from .tracking.row import NO_EPOCH, epoch_cell
from .tracking.run import SHARE_TICK_S, Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any

    from . import _core
    from .tracking.run import Figures

# The journal is not written more often, whatever measure_period says.
SHORTEST_REFRESH_S = 0.1

# From this length on a row is forced to the disk, which costs some ms, on a busy disk seconds: a power cut takes no
# long run, and a short one is not held up.
DURABLE_FROM_S = 60


class Tracker:
    """Tracks the energy and CO2 of a run, and adds a row to a CSV file at its end.

        with eco2ai_fast.Tracker(project_name="mnist", file_name="emission.csv") as tracker: ...
        tracker.start(); ...; record = tracker.stop()

    Energy is read once at each end, from the best meters of the machine; `measure_period` changes no figure.

    Args:
        project_name, experiment_description, file_name: stand in the row; None takes what was last given or set by
            set_params(). file_name ends in .csv; the file is made, or continued.
        measure_period: how many seconds of a run may be lost when it is killed: so often the journal is kept, and at
            least every ten seconds. > 0.
        emission_level: kg CO2 per MWh of your electricity.
        alpha_2_code, region: country code and eco2AI's name of a region, for its published emission level.
        cpu_processes: "current" is this process with all it has started, by its share of CPU time; "all" the machine.
        pue: energy of the data centre over that of its computers.
        encode_file: also write the row, obfuscated, to this file; True: to "encoded_" + file_name.
        electricity_pricing: {"8:00-20:00": 0.3, "20:00-8:00": 0.2}, price per kWh by local time of day.
        ignore_warnings: say nothing, but of a row that could not be written.
        timezone: of no effect; eco2AI gave it to its scheduler.
        zone: grid zone, as for measure(); unless a level or a code is given.
        meter: a meter of `eco2ai_fast.testing` instead of the machine's.

    Without level, code and zone the configured zone holds, else a guess or the world's average, with a warning.

    Raises NotNeededExtensionError, NoCountryCodeError, IncorrectPricingDict, ValueError or TypeError at once for
    arguments that cannot be. Later only methods out of turn raise; what happens to files is warned of.
    """

    def __init__(
        self,
        project_name: str | None = None,
        experiment_description: str | None = None,
        file_name: str | None = None,
        measure_period: float | None = 10,
        emission_level: float | None = None,
        alpha_2_code: str | None = None,
        region: str | None = None,
        cpu_processes: str = "current",
        pue: float | None = 1,
        encode_file: str | bool | None = None,
        electricity_pricing: Mapping[str, float] | None = None,
        ignore_warnings: bool = False,
        timezone: object = False,
        *,
        zone: str | None = None,
        meter: _core.Meter | None = None,
    ) -> None:
        arguments.check(file_name, measure_period, cpu_processes, pue)
        self._params = self.get_set_params(project_name, experiment_description, file_name, measure_period, pue)
        arguments.check(None, self._params["measure_period"], cpu_processes, self._params["pue"])  # what was stored
        self.project_name = self._params["project_name"]
        self.experiment_description = self._params["experiment_description"]
        self.file_name = self._params["file_name"]
        self._encode_file = arguments.encoded_name(encode_file, self.file_name)
        self._tariff = arguments.tariff(electricity_pricing)
        self._cpu_processes = cpu_processes
        self._quiet = bool(ignore_warnings) or settings.disabled()
        self._place = place.find(emission_level, alpha_2_code, region, zone, quiet=self._quiet)
        self._meter = meter
        self._lock = RLock()
        self._mode: str | None = None
        self._is_forked = False
        self._id: str | None = None
        self._last: TrackerRecord | None = None
        self._output: Output | None = None
        self._refresher: Refresher | None = None

    def start(self) -> None:
        """Begins a run with an id of its own. A run that is still going on is ended first, its row written.

        Raises IncorrectMethodSequenceError during a training.
        """
        if self._mode == "training":
            raise IncorrectMethodSequenceError("a training has begun: end it with stop_training() before start()")
        with self._lock:
            self._begin("run", NO_EPOCH)

    def stop(self) -> TrackerRecord | None:
        """Ends the run, adds its row to the file and returns its record. Ends a training as stop_training() does.

        Returns None in a forked child: the run is its parent's. Raises IncorrectMethodSequenceError if nothing has
        been started.
        """
        with self._lock:
            if self._mode == "training":
                return self.stop_training()
            self._expect("run", "nothing has been started: call start() or start_training() before stop()")
            return self._finish() if self._mode else None

    def start_training(self, start_epoch: int = 1) -> None:
        """Begins a training: each new_epoch() ends an epoch and adds its row. Ends a run or training before."""
        if not isinstance(start_epoch, int):
            raise TypeError(f"start_epoch is an int, not {start_epoch!r}")
        with self._lock:
            self._begin("training", epoch_cell(start_epoch, {}))
            self._epoch = start_epoch

    def new_epoch(self, parameters_dict: Mapping[object, object]) -> TrackerRecord | None:
        """Ends an epoch, adds its row with these parameters (loss, accuracy) and returns its record."""
        pairs = dict(parameters_dict)
        with self._lock:
            self._expect("training", "no training has begun: call start_training() before new_epoch()")
            if self._mode is None:
                return None
            self._labels["epoch"] = epoch_cell(self._epoch, pairs)
            self._last = self._record(self._run.split())
            self._append(self._last)
            self._epoch += 1
            self._begin_row(epoch_cell(self._epoch, {}))
            return self._last

    def stop_training(self) -> TrackerRecord | None:
        """Ends a training and returns the record of its last epoch. What came after that has no row."""
        with self._lock:
            self._expect("training", "no training has begun: call start_training() before stop_training()")
            if self._mode:
                self._close()
            return self._last

    def consumption(self) -> float:
        """kWh, PUE included: of the run or epoch so far, after its end of the last one; 0 before the first."""
        record = self._current()
        return record.power_consumption_kwh if record else 0.0

    def price(self) -> float:
        """What consumption() costs by the tariff; 0 without one."""
        record = self._current()
        return record.price if record else 0.0

    def id(self) -> str | None:
        """The id of the run, new at each start; None before the first."""
        return self._id

    def emission_level(self) -> float:
        """kg CO2 per MWh, the same number in g per kWh."""
        return self._place.level

    def measure_period(self) -> float:
        """Seconds between two entries in the journal."""
        period_s: float = self._params["measure_period"]
        return period_s

    def get_set_params(
        self,
        project_name: str | None = None,
        experiment_description: str | None = None,
        file_name: str | None = None,
        measure_period: float | None = None,
        pue: float | None = None,
    ) -> dict[str, Any]:
        """Stores what is given as parameters for later trackers too; all five with what was stored for the others."""
        return arguments.stored_with(
            project_name=project_name,
            experiment_description=experiment_description,
            file_name=file_name,
            measure_period=measure_period,
            pue=pue,
        )

    def align_value_to_dtype(self, value: Any, dtype: Any) -> Any:
        """`value` in the type of a pandas column, not-a-number where it does not fit. eco2AI has it too."""
        try:
            return dtype.type(value)
        except (TypeError, ValueError):
            return float("nan")

    def __enter__(self) -> Tracker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._mode:  # it was stopped within the block
            return
        try:
            self.stop()
        except Warning:  # where warnings are errors, none shall take the place of the user's own
            if error is None:
                raise

    def __repr__(self) -> str:
        state = {None: "stopped" if self._id else "not started", "run": "running"}.get(self._mode, self._mode)
        return f"<Tracker {self.project_name!r} -> {self.file_name}: {state}>"

    def _begin(self, mode: str, epoch: str) -> None:
        if self._mode:
            self._end_before_begin()
        self._id = arguments.new_id()
        self._is_forked = False
        self._run, meter = self._started_run()
        self._labels = {
            "id": self._id,
            "project_name": str(self.project_name),
            "experiment_description": str(self.experiment_description),
            "CPU_name": machine.cpu_cell(),
            "GPU_name": machine.gpu_cell(()),
            "OS": machine.operating_system(),
            "region/country": self._place.text,
        }
        self._begin_row(epoch)
        self._mode = mode
        live.add(self)
        if not self._quiet:
            machine.warn_of_unmeasured_gpu(is_followed=meter is not None and keeper() is not None)
        if not settings.disabled():
            self._open_output()
        self._run.skip()  # what getting ready has cost is not part of the run

    def _started_run(self) -> tuple[Run, _core.Meter | None]:
        whole_machine = self._cpu_processes == "all"
        try:
            meter = None if settings.disabled() else self._meter or implicit_meter()
            gpus = keeper() if self._meter is None else getattr(self._meter, "_gpus", None)
            run = Run(meter, self._tariff, whole_machine=whole_machine, gpus=gpus)
            run.begin()
        except EnergyError as error:
            self._warn(f"no energy is measured: {error}")
            meter, run = None, Run(None, self._tariff, whole_machine=whole_machine)
            run.begin()
        return run, meter

    def _begin_row(self, epoch: str) -> None:
        self._labels["epoch"] = epoch
        self._labels["start_time"] = time.strftime("%Y-%m-%d %H:%M:%S")

    def _open_output(self) -> None:
        self._output = Output(self.file_name, self._encode_file, quiet=self._quiet)
        self._output.open(self._record(self._run.lap(0.0)).cells)
        period_s = min(max(self.measure_period(), SHORTEST_REFRESH_S), SHARE_TICK_S)
        self._refresher = Refresher(period_s, self._refresh)

    def _refresh(self) -> None:
        """On the refresher's thread."""
        with self._lock:
            if self._mode and self._output:
                self._output.refresh(self._record(self._run.lap()).cells)

    def _finish(self) -> TrackerRecord:
        self._last = self._record(self._run.end())
        is_added = False
        try:
            is_added = self._append(self._last)
        finally:  # a warning may be an error
            self._close(keep_journal=not is_added)
        return self._last

    def _end_before_begin(self) -> None:
        self._warn(f"the {self._mode} {self._id} was still going on: it is ended here")
        if self._mode == "training":
            self._close()
        else:
            self._finish()

    def _append(self, record: TrackerRecord) -> bool:
        is_long = record.duration_s >= DURABLE_FROM_S
        return self._output is None or self._output.append(record.cells, durable=is_long)

    def _close(self, *, keep_journal: bool = False) -> None:
        self._mode = None
        live.discard(self)
        if self._refresher:
            self._refresher.stop()
        if self._output:
            self._output.close(keep_journal=keep_journal)
        self._refresher = self._output = None

    def _forget(self) -> None:
        """In a forked child: the run is its parent's, and so are thread, lock and journal."""
        self._lock = RLock()
        self._mode = None
        self._is_forked = True
        if self._output:
            self._output.close(keep_journal=True)
        self._refresher = self._output = None

    def _expect(self, mode: str, otherwise: str) -> None:
        if self._mode != mode and not self._is_forked:
            raise IncorrectMethodSequenceError(otherwise)

    def _current(self) -> TrackerRecord | None:
        with self._lock:
            return self._record(self._run.lap()) if self._mode else self._last

    def _record(self, figures: Figures) -> TrackerRecord:
        # Known once the driver has started, which start() does not wait for.
        self._labels["GPU_name"] = machine.gpu_cell(machine.gpus_of(figures.measurement))
        return TrackerRecord(figures, self._place, self._params["pue"], self._labels, priced=self._tariff is not None)

    def _warn(self, message: str) -> None:
        if not self._quiet:
            warnings.warn(message, TrackerWarning, stacklevel=5)
