"""A GPU load of exact length through the CUDA driver alone: no toolkit, no framework.

`Load(pci_bus_id)` compiles a small kernel on that GPU; `load.run(seconds)` keeps every multiprocessor busy for so long;
`load.launch_us()` is how long an empty kernel takes from launch to completion. Raises `Absent` with the reason where
there is no CUDA driver or no such GPU.
"""

from __future__ import annotations

import ctypes
import time

# Busy until the GPU's own clock has gone on by `duration` nanoseconds. The result is stored where it never is, so that
# the arithmetic cannot be left out.
KERNEL = b"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry busy(.param .u64 duration, .param .u64 result) {
    .reg .pred %p<3>;
    .reg .f32 %f<9>;
    .reg .b64 %t<5>;
    .reg .b64 %r;
    ld.param.u64 %t0, [duration];
    ld.param.u64 %r, [result];
    mov.u64 %t1, %globaltimer;
    mov.f32 %f0, 0f3F800001;
    mov.f32 %f1, 0f3F800001;
    mov.f32 %f2, 0f3F800002;
    mov.f32 %f3, 0f3F800003;
    mov.f32 %f4, 0f3F800004;
again:
    mov.u64 %t2, %globaltimer;
    sub.u64 %t3, %t2, %t1;
    setp.ge.u64 %p0, %t3, %t0;
    @%p0 bra done;
""" + b"""
    fma.rn.f32 %f1, %f1, %f0, %f2;
    fma.rn.f32 %f2, %f2, %f0, %f3;
    fma.rn.f32 %f3, %f3, %f0, %f4;
    fma.rn.f32 %f4, %f4, %f0, %f1;
""" * 64 + b"""
    bra again;
done:
    add.f32 %f5, %f1, %f2;
    add.f32 %f6, %f3, %f4;
    add.f32 %f7, %f5, %f6;
    setp.eq.f32 %p1, %f7, 0f00000000;
    @%p1 st.global.f32 [%r], %f7;
    ret;
}
\0"""

# CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
MULTIPROCESSORS = 16
BLOCKS_PER_MULTIPROCESSOR, THREADS = 4, 512
RESULT_BYTES = 4


class Absent(Exception):
    """No load can be made here; the message says why."""


class Load:
    """Work for one GPU."""

    def __init__(self, pci_bus_id: str) -> None:
        """For the GPU at `0000:01:00.0`."""
        try:
            self._cuda = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise Absent(f"no CUDA driver: {error}") from None
        self._call("cuInit", 0)
        device, self._context = ctypes.c_int(), ctypes.c_void_p()
        self._call("cuDeviceGetByPCIBusId", ctypes.byref(device), pci_bus_id.encode())
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)
        self._call("cuCtxSetCurrent", self._context)
        module, self._function, self._result = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint64()
        self._call("cuModuleLoadData", ctypes.byref(module), KERNEL)
        self._call("cuModuleGetFunction", ctypes.byref(self._function), module, b"busy")
        self._call("cuMemAlloc_v2", ctypes.byref(self._result), ctypes.c_size_t(RESULT_BYTES))
        count = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(count), MULTIPROCESSORS, device)
        self._blocks = count.value * BLOCKS_PER_MULTIPROCESSOR
        self.run(0.001)

    def run(self, seconds: float) -> None:
        """Keep the GPU busy, and return when it is done."""
        self._launch(self._blocks, seconds)
        self._call("cuCtxSynchronize")

    def run_until(self, end_s: float) -> None:
        """Keep the GPU busy until `time.monotonic()` says so."""
        while (left_s := end_s - time.monotonic()) > 0:
            self.run(min(left_s, 0.25))

    def launch_us(self) -> float:
        """Microseconds from the launch of a kernel that does nothing to its completion."""
        start_ns = time.perf_counter_ns()
        self._launch(1, 0.0)
        self._call("cuCtxSynchronize")
        return (time.perf_counter_ns() - start_ns) / 1e3

    def _launch(self, blocks: int, seconds: float) -> None:
        self._call("cuCtxSetCurrent", self._context)  # for whichever thread calls
        duration, result = ctypes.c_uint64(round(seconds * 1e9)), ctypes.c_uint64(self._result.value)
        arguments = (ctypes.c_void_p * 2)(ctypes.addressof(duration), ctypes.addressof(result))
        grid = (blocks, 1, 1, THREADS if blocks > 1 else 1, 1, 1, 0)
        self._call("cuLaunchKernel", self._function, *grid, None, arguments, None)

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._cuda, name)(*arguments)
        if code:
            raise Absent(f"{name} failed with CUDA error {code}")
