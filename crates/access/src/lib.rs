//! Who may do what on which object: the exposure and privilege decisions, explained.
