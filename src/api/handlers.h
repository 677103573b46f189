// The handlers, one for each route of router.cc and v1.cc; what each does: docs/api.md and
// docs/api-v1.md.
#pragma once

#include "api/call.h"

namespace cronally::api {

// jobs.cc
Answer list_jobs(Call& call);
Answer create_job(Call& call);
Answer create_bulk(Call& call);
Answer get_job(Call& call);
// job_changes.cc
Answer patch_job(Call& call);
Answer delete_job(Call& call);
Answer pause_job(Call& call);
Answer resume_job(Call& call);
// runs.cc
Answer run_job(Call& call);
Answer list_runs(Call& call);
Answer get_run(Call& call);
Answer run_changes(Call& call);
// A long poll that was found quiet and still is, without asking the store again; else nullopt.
std::optional<net::Later> wait_quietly(Shared& shared, const net::Request& request);
// preview.cc
Answer preview_schedule(Call& call);
// account.cc
Answer get_account(Call& call);
Answer patch_account(Call& call);
Answer list_tokens(Call& call);
Answer create_token(Call& call);
Answer revoke_token(Call& call);
// accounts.cc
Answer create_account(Call& call);
Answer rotate_account(Call& call);
// v1_account.cc
Answer v1_get_account(Call& call);
Answer v1_create_account(Call& call);
// v1_cronjobs.cc
Answer v1_create_cronjob(Call& call);
Answer v1_change_cronjob(Call& call);
Answer v1_delete_cronjob(Call& call);
Answer v1_list_cronjobs(Call& call);
// system.cc
Answer backup(Call& call);
Answer livez(Call& call);
Answer readyz(Call& call);
Answer readyz_check(Call& call);
Answer metrics(Call& call);
Answer openapi(Call& call);

}  // namespace cronally::api
