"""Decides what a robot does with orders and actions; pure."""
