//! What must never be, as functions over a payment's history. Used by the explorer, the simulation and the auditor.
