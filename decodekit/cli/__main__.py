"""`python -m decodekit.cli`, for where the script is not on the path."""

from decodekit.cli import main

main()
