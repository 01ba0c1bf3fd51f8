"""The models of a run by name: each made when it is first asked, with its gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cambrian.evolution.models.broker import Model
from cambrian.evolution.models.endpoint import OpenAIModel
from cambrian.evolution.models.roster.gates import Gate
from cambrian.evolution.models.roster.replay import Recording
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.evolution.settings import Settings


class Roster:
    """A run's models.

    Args:
        names: of the models, in order.
        specs: the sections of cambrian.toml, by name; a model without one is where the environment
            says.
        given: a model to ask in place of any of them. recording: what they answered before.
    """

    def __init__(
        self,
        names: Sequence[str],
        specs: Mapping[str, ModelSpec],
        given: Model | None = None,
        recording: Recording | None = None,
    ) -> None:
        self.names = tuple(names)
        self._specs = dict(specs)
        self._given = given
        self._recording = recording
        self._models: dict[str, Model] = {}
        self._gates: dict[str, Gate] = {}

    def spec(self, name: str) -> ModelSpec:
        """What is known of a model beside its name."""
        return self._specs.get(name) or ModelSpec()

    @classmethod
    def of(cls, settings: Settings, given: Model | None = None) -> Roster:
        """Those that a run's settings name.

        Raises:
            NotFound, UsageError: there is no such recording.
        """
        recording = Recording(settings.model) if settings.replays and given is None else None
        return cls(settings.models, settings.endpoints, given, recording)

    def model(self, name: str, idx: int = 0) -> Model:
        """The model of that name, for the questions of proposal `idx`.

        Raises:
            UsageError: its key or its address is missing, or cannot be used.
        """
        if self._given is not None:
            return self._given
        if self._recording is not None:
            return self._recording.model(name, idx)
        if name not in self._models:
            self._models[name] = OpenAIModel(name, spec=self.spec(name))
        return self._models[name]

    def gate(self, name: str) -> Gate:
        """What its questions go through."""
        if name not in self._gates:
            self._gates[name] = Gate(self.spec(name).at_once)
        return self._gates[name]

    def renew(self, specs: Mapping[str, ModelSpec]) -> None:
        """Take what has changed in the sections: a model is made anew when it is asked next."""
        for name in {*self._specs, *specs}:
            if self._specs.get(name) != specs.get(name):
                self._models.pop(name, None)
                self._gates.pop(name, None)
        self._specs = dict(specs)
