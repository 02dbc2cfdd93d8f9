"""Captures and traces from elsewhere: read, told apart call by call, and made into scenarios and records.

`reading` knows capture files (pcap, pcapng) and what people paste into tickets (the logs of Asterisk, FreeSWITCH and
AudioCodes, what sngrep, ngrep and Homer save, or bare messages); `story` finds the calls through one system in it;
`scenario` writes down what everybody did as a scenario, and `record` as a record that can be judged.
"""
