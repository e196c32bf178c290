"""`mdn`: a recurrent network that gives a distribution of what comes next, and draws from it."""
