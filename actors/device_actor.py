"""The own interface of one virtual router, with the router's MAC: made, kept while the program runs, and removed."""

from typing import Any

import msgspec

from actors.core.status import DeviceStatus, LinkStatus
from actors.messages import Message
from actors.planes import PlaneError
from actors.planes.network import Device, Devices
from actors.runtime.actor import Context

RETRY = 1.0
"""Seconds until a device that could not be made is tried again."""


class DeviceSpec(msgspec.Struct, frozen=True):
    """A device and its id."""

    id: str
    device: Device


class Retry(Message, frozen=True):
    """Try again."""


class DeviceActor:
    """Makes it anew when it, or what it is on top of, was removed and that is there again."""

    def __init__(self, context: Context, spec: DeviceSpec, devices: Devices) -> None:
        self._context = context
        self._spec = spec
        self._devices = devices
        self._below: bool | None = None
        self._index = 0
        self._fault = ""

    def on_start(self) -> None:
        """Make it at once: what uses it waits for it."""
        self._make()
        device = self._spec.device
        for name in (device.below, device.name):
            self._context.subscribe(f"link/{name}")

    def receive(self, message: Any) -> None:
        """What it is on top of has news, or it has itself, or it is time to try again."""
        if isinstance(message, LinkStatus | Retry):
            self._make()

    def on_stop(self, final: bool) -> None:
        """Remove it, unless a successor follows, which finds it."""
        if final:
            try:
                self._devices.remove(self._spec.device)
            except PlaneError as error:
                self._context.log.error("device", error=str(error))

    def explain(self) -> list[str]:
        """For an operator: what it is, and what is wrong."""
        device = self._spec.device
        there = f"is there, with index {self._index}" if self._index else f"is not there: {self._fault}"
        return [f"{device.name} with {device.mac} on {device.below} {there}"]

    def _make(self) -> None:
        try:
            self._index, self._fault = self._devices.make(self._spec.device), ""
        except PlaneError as error:
            if str(error) != self._fault:
                self._context.log.error("device", error=str(error))
            self._index, self._fault = 0, str(error)
            self._context.after("retry", RETRY, Retry())
        self._context.publish(DeviceStatus(self._spec.id, self._index, self._fault))
