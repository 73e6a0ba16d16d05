"""The parts of one worker process; ``amr.mapper_trigger`` joins them."""
