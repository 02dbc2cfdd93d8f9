"""The files in `mistakes` are wrong on purpose: the plugin of this project must not collect them as scenarios."""

collect_ignore = ["mistakes"]
