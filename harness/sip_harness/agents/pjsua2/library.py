"""The C API that the wheel exports, for what the Python binding leaves out. Worker processes only."""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import byref, c_int, c_long, c_void_p

import pjsua2 as pj  # noqa: TID251 - this runs in a worker process

LAYOUT_VERSION = "2.15.1"
"""Release of pjproject whose structures are known; others have not been looked at."""
LAYOUT_MACHINE = "x86_64"


class TimeVal(ctypes.Structure):
    """pj_time_val."""

    _fields_ = (("sec", c_long), ("msec", c_long))


class Library:
    """The shared object that is already loaded, and the settings that can only be made through it."""

    def __init__(self) -> None:
        path = next(m.__file__ for n, m in sys.modules.items() if n.rpartition(".")[2] == "_pjsua2")
        self.lib = ctypes.CDLL(path)
        # libCreate() prints some lines to stdout before its log settings apply.
        self.lib.pj_log_set_level(0)
        # RFC 3261 19.1.1 knows no port in From and To, but a response must repeat what the request said (8.2.6.2).
        c_int.in_dll(self.lib, "pjsip_sip_cfg_var").value = 1
        self.lib.pjsua_get_pjsip_endpt.restype = c_void_p
        self.lib.pjsip_endpt_get_timer_heap.restype = c_void_p
        self.lib.pjsip_endpt_get_timer_heap.argtypes = [c_void_p]
        self.lib.pj_timer_heap_count.argtypes = [c_void_p]
        self.lib.pj_timer_heap_count.restype = ctypes.c_size_t
        self.lib.pj_timer_heap_earliest_time.argtypes = [c_void_p, c_void_p]
        self.lib.pj_gettickcount.argtypes = [c_void_p]

    @property
    def endpoint(self) -> int:
        """Address of the pjsip endpoint. Only between libInit and libDestroy."""
        return int(self.lib.pjsua_get_pjsip_endpt())

    def next_timer(self, limit: float) -> float:
        """Seconds until the stack's next timer is due, at most `limit`."""
        heap = self.lib.pjsip_endpt_get_timer_heap(self.endpoint)
        if not self.lib.pj_timer_heap_count(heap):  # to ask an empty heap for its first timer aborts
            return limit
        due, now = TimeVal(), TimeVal()
        self.lib.pj_timer_heap_earliest_time(heap, byref(due))
        self.lib.pj_gettickcount(byref(now))
        left: float = due.sec - now.sec + (due.msec - now.msec) / 1000
        return min(limit, max(0.0, left))


def unknown_layout(endpoint: pj.Endpoint) -> str:
    """Empty if the structures of this library are known, else why not."""
    version, machine = endpoint.libVersion().full, os.uname().machine
    if (version, machine) == (LAYOUT_VERSION, LAYOUT_MACHINE):
        return ""
    return f"the structures of pjproject {version} on {machine} are not known"
