"""The live dance, for `dd play`: a page served to this computer alone, or half blocks in the terminal."""
