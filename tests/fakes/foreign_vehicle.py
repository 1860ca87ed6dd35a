"""A robot of another make: plain VDA 5050 2.0.0 or 2.1.0, in a process of its own.

It is written from the standard, shares no code with this project, checks what it gets against the
official JSON schemas, and refuses what the standard says a robot refuses. It has no compartments
and no memory of its order: after a kill it stands where it stood and knows nothing. What it was
told and what it found wrong goes to ``--log`` as JSON lines.
"""

import argparse
import json
import math
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

STEP_S = 0.05
STATE_S = 1.0
NODES_MAX = 6
NEAR_M = 0.3
BRAKE_M_S2 = 1.0
ENDED = ("FINISHED", "FAILED")
INSTANT = ("startPause", "stopPause", "cancelOrder", "stateRequest", "factsheetRequest")
OPTIONAL = ("order.nodes.nodePosition", "order.edges.maxSpeed")


def schema(kind: str) -> jsonschema.Draft7Validator:
    text = resources.files("vda5050.validation.schemas").joinpath(f"{kind}.json").read_text("utf-8")
    return jsonschema.Draft7Validator(json.loads(text))


class Vehicle:
    """Everything: one lock, one loop that drives, callbacks that take messages."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.base = f"uagv/v2/{options.manufacturer}/{options.serial}"
        self.lock = threading.RLock()
        self.headers: dict[str, int] = {}
        self.schemas = {"order": schema("order"), "instantActions": schema("instantActions")}
        self.place: dict[str, Any] = self._remembered()
        self.order_id, self.update_id = "", 0
        self.base_nodes: dict[int, Any] = {}
        self.nodes: list[dict[str, Any]] = []
        self.edges: list[dict[str, Any]] = []
        self.last_sequence = 0
        self.actions: dict[str, dict[str, Any]] = {}
        self.errors: list[dict[str, Any]] = []
        self.paused = self.cancelling = False
        self.cancel_id = ""
        self.speed = 0.0
        self.battery = 88.0
        self.dirty = True
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"foreign-{options.serial}"
        )
        self.client.on_connect = self._connected
        self.client.on_message = self._received
        will = json.dumps(self._header("connection") | {"connectionState": "CONNECTIONBROKEN"})
        self.client.will_set(f"{self.base}/connection", will, qos=1, retain=True)

    # --- out ------------------------------------------------------------------------------------

    def _header(self, kind: str) -> dict[str, Any]:
        number = self.headers.get(kind, 0)
        self.headers[kind] = number + 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "headerId": number,
            "timestamp": now,
            "version": self.options.version,
            "manufacturer": self.options.manufacturer,
            "serialNumber": self.options.serial,
        }

    def _say(self, kind: str, body: dict[str, Any], *, qos: int = 0, retain: bool = False) -> None:
        payload = json.dumps(self._header(kind) | body)
        self.client.publish(f"{self.base}/{kind}", payload, qos=qos, retain=retain)

    def _log(self, what: str, **more: Any) -> None:
        with Path(self.options.log).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")

    def _connected(self, *_: Any) -> None:
        with self.lock:
            self.client.subscribe([(f"{self.base}/order", 0), (f"{self.base}/instantActions", 0)])
            self._say("connection", {"connectionState": "ONLINE"}, qos=1, retain=True)
            self.dirty = True

    def state(self) -> None:
        where = self.place
        self._say(
            "state",
            {
                "orderId": self.order_id,
                "orderUpdateId": self.update_id,
                "lastNodeId": where["node"],
                "lastNodeSequenceId": self.last_sequence,
                "driving": self.speed > 0,
                "paused": self.paused,
                "operatingMode": "AUTOMATIC",
                "nodeStates": [
                    {key: row[key] for key in ("nodeId", "sequenceId", "released")}
                    for row in self.nodes
                ],
                "edgeStates": [
                    {key: row[key] for key in ("edgeId", "sequenceId", "released")}
                    for row in self.edges
                ],
                "agvPosition": {
                    "x": where["x"],
                    "y": where["y"],
                    "theta": where["theta"],
                    "mapId": where["map"],
                    "positionInitialized": True,
                },
                "velocity": {"vx": self.speed, "vy": 0.0, "omega": 0.0},
                "actionStates": list(self.actions.values()),
                "batteryState": {"batteryCharge": round(self.battery, 1), "charging": False},
                "errors": self.errors,
                "safetyState": {"eStop": "NONE", "fieldViolation": False},
            },
        )

    def factsheet(self) -> None:
        names = INSTANT
        self._say(
            "factsheet",
            {
                "typeSpecification": {
                    "seriesName": "Foreign 1",
                    "agvKinematic": "DIFF",
                    "agvClass": "CARRIER",
                    "maxLoadMass": 20,
                    "localizationTypes": ["NATURAL"],
                    "navigationTypes": ["AUTONOMOUS"],
                },
                "physicalParameters": {
                    "speedMin": 0.0,
                    "speedMax": self.options.speed,
                    "accelerationMax": 1.0,
                    "decelerationMax": BRAKE_M_S2,
                    "heightMin": 0.5,
                    "heightMax": 1.2,
                    "width": 0.5,
                    "length": 0.6,
                },
                "protocolLimits": {
                    "maxStringLens": {},
                    "maxArrayLens": {"order.nodes": NODES_MAX, "order.edges": NODES_MAX - 1},
                    "timing": {"minOrderInterval": 0.0, "minStateInterval": 0.1},
                },
                "protocolFeatures": {
                    "optionalParameters": [
                        {"parameter": name, "support": "SUPPORTED"} for name in OPTIONAL
                    ],
                    "agvActions": [
                        {"actionType": name, "actionScopes": ["INSTANT"]} for name in names
                    ],
                },
                "agvGeometry": {},
                "loadSpecification": {},
            },
        )

    # --- in -------------------------------------------------------------------------------------

    def _received(self, _client: Any, _userdata: Any, message: Any) -> None:
        kind = message.topic.rsplit("/", 1)[-1]
        with self.lock:
            try:
                body = json.loads(message.payload)
                if kind == "instantActions" and self.options.key != "actions":
                    body["actions"] = body.pop(self.options.key)
            except (ValueError, KeyError) as error:
                self._wrong(kind, f"unreadable: {error}")
                return
            found = next(iter(self.schemas[kind].iter_errors(body)), None)
            if found is not None:
                self._wrong(kind, f"{found.json_path}: {found.message}")
                return
            ours = (self.options.version, self.options.manufacturer, self.options.serial)
            if (body["version"], body["manufacturer"], body["serialNumber"]) != ours:
                self._wrong(kind, f"header is not for me: {body['version']}")
                return
            self._log(kind, body=body)
            if kind == "order":
                self._order(body)
            else:
                for action in body["actions"]:
                    self._instant(action)
            self.dirty = True

    def _wrong(self, kind: str, text: str) -> None:
        self._log("wrong", kind=kind, text=text[:400])
        self._error("validationError", text)

    def _error(self, kind: str, text: str, **references: object) -> None:
        found = {
            "errorType": kind,
            "errorLevel": "WARNING",
            "errorDescription": text[:200],
            "errorReferences": [
                {"referenceKey": key, "referenceValue": str(value)}
                for key, value in references.items()
            ],
        }
        self.errors = [*self.errors[-5:], found]
        self._log("error", type=kind, text=text[:400])
        self.dirty = True

    def _order(self, order: dict[str, Any]) -> None:
        refuse = {"orderId": order["orderId"], "orderUpdateId": order["orderUpdateId"]}
        problem = self._shape(order) or self._beyond_me(order)
        if problem:
            self._error("orderError", problem, **refuse)
        elif order["orderId"] != self.order_id:
            self._new_order(order, refuse)
        else:
            self._update(order, refuse)

    def _beyond_me(self, order: dict[str, Any]) -> str:
        for index, row in enumerate(order["edges"]):
            extra = set(row) & {"length", "trajectory", "orientation", "corridor"}
            if extra:
                self._log("wrong", kind="order", text=f"edges[{index}] has {sorted(extra)}")
        if len(order["nodes"]) > NODES_MAX:
            return f"{len(order['nodes'])} nodes; limit {NODES_MAX}"
        if any(row["actions"] for row in (*order["nodes"], *order["edges"])):
            return "this robot knows no node or edge actions"
        return ""

    def _new_order(self, order: dict[str, Any], refuse: dict[str, Any]) -> None:
        first = order["nodes"][0]
        if self.nodes or self.speed > 0:
            self._error("orderUpdateError", "another order is active", **refuse)
        elif not self._near(first):
            self._error("noRouteError", f"{first['nodeId']} is too far away", **refuse)
        else:
            self.actions = {}
            self.base_nodes = {}
            self._accept(order)
            self.last_sequence = first["sequenceId"]
            self.place["node"] = first["nodeId"]

    def _update(self, order: dict[str, Any], refuse: dict[str, Any]) -> None:
        update_id, first = order["orderUpdateId"], order["nodes"][0]
        if update_id == self.update_id:
            return  # the same again: known
        changed = any(
            self.base_nodes.get(row["sequenceId"], row["nodeId"]) != row["nodeId"]
            for row in order["nodes"]
        )
        if update_id < self.update_id:
            self._error("orderUpdateError", "an older update", **refuse)
        elif (first["nodeId"], first["sequenceId"]) != self._base_end():
            self._error("orderUpdateError", f"does not begin at {self._base_end()}", **refuse)
        elif changed:
            self._error("orderUpdateError", "the base was changed", **refuse)
        else:
            self._accept(order)

    def _shape(self, order: dict[str, Any]) -> str:
        nodes, edges = order["nodes"], order["edges"]
        if len(edges) != len(nodes) - 1 or not nodes[0]["released"]:
            return "nodes and edges do not make a way"
        for index, edge in enumerate(edges):
            start, end = nodes[index], nodes[index + 1]
            if (edge["startNodeId"], edge["endNodeId"]) != (start["nodeId"], end["nodeId"]):
                return f"edge {edge['edgeId']} joins other nodes"
            if start["sequenceId"] % 2 or edge["sequenceId"] != start["sequenceId"] + 1:
                return f"sequenceId of edge {edge['edgeId']}"
            if end["sequenceId"] != edge["sequenceId"] + 1:
                return f"sequenceId of node {end['nodeId']}"
            if end["released"] and not start["released"]:
                return f"{end['nodeId']} is released behind horizon"
            if end["released"] != edge["released"]:
                return f"edge {edge['edgeId']} and its end"
        if any("nodePosition" not in row for row in nodes):
            return "a node has no position"
        return ""

    def _near(self, node: dict[str, Any]) -> bool:
        position = node["nodePosition"]
        off_m = math.hypot(position["x"] - self.place["x"], position["y"] - self.place["y"])
        within_m: float = position.get("allowedDeviationXY", 0.0)
        return off_m <= max(NEAR_M, within_m)

    def _base_end(self) -> tuple[str, int]:
        released = [row for row in self.nodes if row["released"]]
        if released:
            return released[-1]["nodeId"], released[-1]["sequenceId"]
        return self.place["node"], self.last_sequence

    def _accept(self, order: dict[str, Any]) -> None:
        first = order["nodes"][0]["sequenceId"]
        kept = [row for row in self.nodes if row["released"] and row["sequenceId"] <= first]
        paths = [row for row in self.edges if row["released"] and row["sequenceId"] < first]
        self.nodes = kept + order["nodes"][1:]
        self.edges = paths + order["edges"]
        self.order_id, self.update_id = order["orderId"], order["orderUpdateId"]
        for row in order["nodes"]:
            if row["released"]:
                self.base_nodes[row["sequenceId"]] = row["nodeId"]
        self.errors = []

    def _instant(self, action: dict[str, Any]) -> None:
        kind, action_id = action["actionType"], action["actionId"]
        if action_id in self.actions:
            return
        status = {"actionId": action_id, "actionType": kind, "actionStatus": "RUNNING"}
        self.actions[action_id] = status
        match kind:
            case "startPause":
                self.paused = True
                status["actionStatus"] = "FINISHED"
            case "stopPause":
                self.paused = False
                status["actionStatus"] = "FINISHED"
            case "cancelOrder":
                if not self.nodes:
                    status["actionStatus"] = "FAILED"
                    self._error("noOrderToCancel", "no order", actionId=action_id)
                else:
                    self.cancelling, self.cancel_id = True, action_id
            case "stateRequest":
                status["actionStatus"] = "FINISHED"
            case "factsheetRequest":
                self.factsheet()
                status["actionStatus"] = "FINISHED"
            case _:
                status["actionStatus"] = "FAILED"
                self._error("instantActionError", f"unknown {kind}", actionId=action_id)

    # --- driving --------------------------------------------------------------------------------

    def step(self) -> None:
        """Drive for one step along the base, or brake."""
        target = self.nodes[0] if self.nodes and self.nodes[0]["released"] else None
        go = target is not None and not self.paused and not self.cancelling
        wanted = self.options.speed if go else 0.0
        if go and self.edges:
            wanted = min(wanted, self.edges[0].get("maxSpeed", wanted))
        before = self.speed
        step = BRAKE_M_S2 * STEP_S
        self.speed = min(wanted, before + step) if wanted > before else max(wanted, before - step)
        if target is not None and self.speed > 0:
            self._roll(target)
        if self.speed == 0 and self.cancelling:
            self.nodes, self.edges = [], []
            self.actions[self.cancel_id]["actionStatus"] = "FINISHED"
            self.cancelling = False
            self.dirty = True
        self.dirty = self.dirty or (before > 0) != (self.speed > 0)
        self.battery = max(5.0, self.battery - 0.0005)

    def _roll(self, target: dict[str, Any]) -> None:
        there, where = target["nodePosition"], self.place
        dx, dy = there["x"] - where["x"], there["y"] - where["y"]
        left_m, way_m = math.hypot(dx, dy), self.speed * STEP_S
        if left_m > way_m:
            where["x"] += dx / left_m * way_m
            where["y"] += dy / left_m * way_m
            where["theta"] = math.atan2(dy, dx)
            return
        where |= {"x": there["x"], "y": there["y"], "map": there["mapId"]}
        where["node"] = target["nodeId"]
        self.last_sequence = target["sequenceId"]
        self.nodes, self.edges = self.nodes[1:], self.edges[1:]
        self.dirty = True
        if not self.nodes or not self.nodes[0]["released"]:
            self.speed = 0.0
        Path(self.options.memory).write_text(json.dumps(where), encoding="utf-8")

    def _remembered(self) -> dict[str, Any]:
        file = Path(self.options.memory)
        if file.exists():
            return dict(json.loads(file.read_text("utf-8")))
        x, y = self.options.at
        place = {"x": x, "y": y, "theta": 0.0, "map": self.options.map, "node": self.options.node}
        return dict(place)

    def run(self) -> None:
        """Until SIGTERM."""
        over = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: over.set())
        self.client.connect("127.0.0.1", self.options.port, keepalive=5)
        self.client.loop_start()
        due = 0.0
        while not over.wait(STEP_S):
            with self.lock:
                self.step()
                if self.dirty or time.monotonic() >= due:
                    self.dirty, due = False, time.monotonic() + STATE_S
                    self.state()
        with self.lock:
            self._say("connection", {"connectionState": "OFFLINE"}, qos=1, retain=True)
        self.client.disconnect()
        self.client.loop_stop()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--manufacturer", required=True)
    parser.add_argument("--serial", required=True)
    parser.add_argument("--version", default="2.0.0")
    parser.add_argument("--key", default="actions", choices=("actions", "instantActions"))
    parser.add_argument("--at", type=float, nargs=2, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--map", default="floor-1")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--memory", required=True)
    parser.add_argument("--log", required=True)
    Vehicle(parser.parse_args()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
