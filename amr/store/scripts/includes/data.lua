-- data: every key of a job, for what is done to all of them.
-- KEYS:    job inputs gathered inflight outputs runs skipped failures redriven counters tree partials events log results followers
-- Include:

local DATA_KEYS = { job_key, inputs_key, gathered_key, inflight_key, outputs_key, runs_key, skipped_key,
  failures_key, redriven_key, counters_key, tree_key, partials_key, events_key, log_key, results_key,
  followers_key }
