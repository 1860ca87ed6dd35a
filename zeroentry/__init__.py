"""Zero Entry: the command, the demo and the composer of simulated footage."""
