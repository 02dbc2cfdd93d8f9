"""The pjsua2 stack: `client`, `pool` and `wheel` for the runner's process, everything else for the worker processes.

pjsua2's mistakes abort the process, so only a worker ever imports it.
"""
