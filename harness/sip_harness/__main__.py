"""`python -m sip_harness`: the command without its script."""

from sip_harness.cli.main import main

main(prog_name="sip-harness")
