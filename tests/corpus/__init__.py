"""Labelled scenarios: what a room's cameras and pickups give, and what is really true of it.

Words (each module's docstring says more):

- ``scenario``: ``Scenario`` (a lazy stream of timed inputs, and its truth), ``Truth``, ``Spare``.
- ``families``: ``@family(code)`` registers a way to make scenarios of one rule from a seed; the
  splits ``TUNE`` and ``HELD_OUT``.
- ``stage``: rooms with people on a timeline, drawn; and what its log says was to be seen.
- ``disturbances``: lights, curtains, monitors, reflections, noise, compression, faults of cameras.
- ``runner``: plays a scenario through the real perception and the real ``edge.core.room.step``.
- ``scoring``: what the alerts of a played scenario are worth against its truth.

HELD-OUT SEEDS ARE NOT FOR TUNING. Change no rule, parameter or threshold because of what a scenario
of ``HELD_OUT`` shows: only ``python -m benchmarks.detection`` plays them, and prints figures.
"""
