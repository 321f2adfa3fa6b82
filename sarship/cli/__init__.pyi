from sarship.cli.commands import main as main
