"""The command `sarship`: parse, one call, print.

>>> from click.testing import CliRunner
>>> CliRunner().invoke(main, ["--version"]).output.split()
['sarship,', 'version', '0...']
"""

from sarship._package import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
