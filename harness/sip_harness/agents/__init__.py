"""Scripted agents on two stacks, wire and pjsua2, under one interface."""
