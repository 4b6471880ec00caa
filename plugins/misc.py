"""MISC_CHECK: a program of your own says whether the server is well."""

from plugins.api import Command, Failed, Passed, Target, Weighed, checker, option

FIRST_WEIGHT = 2
"""Exit status that stands for weight 0; those above stand for 1 and more."""


@checker("MISC_CHECK", aims="maybe")
class MiscCheck:
    """Healthy when a program exits with 0; with misc_dynamic 2 to 255 set a weight of 0 to 253 too.

    The program finds the target in ``CHECK_ADDRESS`` and ``CHECK_PORT``; the first line that it writes is the reason
    that is shown. A signal, a status of 1 and, but for ``misc_dynamic``, every other is a failure, as in keepalived.
    """

    path: Command = option(kind="script", name="misc_path", help="the program, with its arguments in the quotes")
    timeout: float = option(
        0.0, kind="seconds", name="misc_timeout", min=0, help="limit for the program; delay_loop if unsaid", unit="s"
    )
    dynamic: bool = option(False, name="misc_dynamic", bare=True, help="exit status 2 to 255 sets a weight of 0 to 253")
    user: tuple[str, ...] = option((), help="user and group that it runs as; script_user if unsaid")

    def probe(self, target: Target) -> Passed | Weighed:
        """Run it once."""
        user, group = [*self.user, "", ""][:2] if self.user else self.path[1:]
        done = target.run(Command(self.path.argv, user, group))
        said = done.output.strip().partition("\n")[0]
        if done.status == 0:
            return Passed(said)
        if self.dynamic and done.status >= FIRST_WEIGHT:
            return Weighed(done.status - FIRST_WEIGHT, said)
        how = f"ended by signal {-done.status}" if done.status < 0 else f"exit status {done.status}"
        raise Failed(f"{how}: {said}" if said else how)
