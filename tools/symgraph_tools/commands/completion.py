"""``symgraph completion``."""

from __future__ import annotations

import click

from ..conventions import Console, command

SHELLS = ("bash", "zsh", "fish")


@command(
    "completion",
    examples=("symgraph completion bash", "symgraph completion zsh", "symgraph completion fish"),
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(console: Console, shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    bash: eval "$(symgraph completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc;
    fish: symgraph completion fish > ~/.config/fish/completions/symgraph.fish
    """
    from click.shell_completion import get_completion_class

    from ..cli import main

    made = get_completion_class(shell)
    assert made is not None
    console.write(made(main, {}, "symgraph", "_SYMGRAPH_COMPLETE").source())


COMMAND = completion
