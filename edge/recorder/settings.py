"""Schema of the recorder's settings: its own part of the node's file."""

from edge.node_settings import NodeSettings


class RecorderSettings(NodeSettings):
    """Settings of one recorder. The node's other sections are the node's to check.

    So a mistake in a rule or in the API's settings does not keep cameras from being recorded, and
    this process needs none of what those sections speak of.
    """

    mqtt: object = None
    api: object = None
    model: object = None
    pictures: object = None
    rules: object = None
