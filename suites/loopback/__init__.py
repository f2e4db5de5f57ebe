"""Experiment 1: what does my own kernel do with each protocol number?"""
