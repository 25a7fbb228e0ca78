"""`python -m codec_lib` is the command `codec-lib`."""

import sys

from codec_lib.cli import main

sys.exit(main())
