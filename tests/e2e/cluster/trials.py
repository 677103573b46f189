"""Results that accumulate: a folder with one folder for each trial, and a state file in each.

A trial that has ended is not run again. One that was cut off (its state still says `running`) is
kept beside as NAME.cut-1, NAME.cut-2 … and runs anew. So a proof that was interrupted goes on where
it was by the same command, and a failing trial can be looked at and judged again.
"""

import json
import pathlib
import time


class Results:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def state(self, name):
        """{state: running or ended, holds, …} of a trial; None when it has never begun."""
        try:
            return json.loads((self.folder / name / "state.json").read_text())
        except FileNotFoundError:
            return None

    def run(self, name, trial, about=None):
        """Runs trial(folder) unless it has ended before. It returns a dictionary with `holds`,
        which verdict.json then has; `about` is said in the state file. Returns the verdict."""
        state = self.state(name)
        if state and state["state"] == "ended":
            return json.loads((self.folder / name / "verdict.json").read_text())
        folder = self.folder / name
        if folder.exists():
            folder.rename(self._cut_name(name))
        folder.mkdir(parents=True)
        state = {"name": name, "state": "running", "began": time.time(),
                 "about": about or {}}
        write_json(folder / "state.json", state)
        verdict = trial(folder)
        write_json(folder / "verdict.json", verdict)
        state.update(state="ended", ended=time.time(), holds=verdict["holds"])
        write_json(folder / "state.json", state)
        return verdict

    def judge_again(self, name, judge):
        """judge(folder, verdict) gives another verdict for a trial that has ended."""
        folder = self.folder / name
        verdict = judge(folder, json.loads((folder / "verdict.json").read_text()))
        write_json(folder / "verdict.json", verdict)
        write_json(folder / "state.json", {**self.state(name), "holds": verdict["holds"]})

    def _cut_name(self, name):
        return self._free_name(name, "cut")

    def _free_name(self, name, why):
        number = 1
        while (self.folder / f"{name}.{why}-{number}").exists():
            number += 1
        return self.folder / f"{name}.{why}-{number}"

    def set_aside(self, name):
        """Keeps a trial that has ended beside as NAME.again-1 …, so that it runs anew; whether
        there was one."""
        found = self.state(name) is not None
        if found:
            (self.folder / name).rename(self._free_name(name, "again"))
        return found

    def aside(self, name):
        """How often that was done."""
        return len(list(self.folder.glob(f"{name}.again-*")))

    def ended(self):
        """name -> verdict of every trial that has ended, oldest first."""
        states = [json.loads(file.read_text()) for file in self.folder.glob("*/state.json")
                  if file.parent.name == json.loads(file.read_text())["name"]]
        states = [state for state in states if state["state"] == "ended"]
        states.sort(key=lambda state: state["began"])
        return {state["name"]: json.loads((self.folder / state["name"] / "verdict.json").read_text())
                for state in states}


def write_json(file, value):
    """Whole or not at all, whenever the machine stops."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    fresh.replace(file)
