"""Experiment 2: what does the way to another host do with each protocol number?"""
