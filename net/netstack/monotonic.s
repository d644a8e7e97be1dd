// With an assembly file, a package may declare functions that are elsewhere: nanotime.
