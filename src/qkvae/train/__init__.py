"""Finding weights: objective, optimiser, schedule, precision, the plan and the loop."""
