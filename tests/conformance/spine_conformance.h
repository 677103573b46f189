// What every store answers to the scheduler: Spine, and the verbs of Jobs that feed it. Pure
// stores of the simulation join this one.
//
//   INSTANTIATE_SPINE_CONFORMANCE(Sqlite, sqlite_factory());
#pragma once

#include "tests/conformance/spine_behind.h"
#include "tests/conformance/spine_changes.h"
#include "tests/conformance/spine_claims.h"
#include "tests/conformance/spine_leases.h"
#include "tests/conformance/spine_owed.h"
#include "tests/conformance/spine_runs.h"

// To be used in the namespace cronally::conformance, once in a program for each store.
#define INSTANTIATE_SPINE_CONFORMANCE(prefix, ...)                                           \
  INSTANTIATE_TEST_SUITE_P(prefix, SpineBehind, ::testing::Values(__VA_ARGS__), store_name); \
  INSTANTIATE_TEST_SUITE_P(prefix, SpineClaims, ::testing::Values(__VA_ARGS__), store_name); \
  INSTANTIATE_TEST_SUITE_P(prefix, SpineLeases, ::testing::Values(__VA_ARGS__), store_name); \
  INSTANTIATE_TEST_SUITE_P(prefix, SpineOwed, ::testing::Values(__VA_ARGS__), store_name);   \
  INSTANTIATE_TEST_SUITE_P(prefix, SpineRuns, ::testing::Values(__VA_ARGS__), store_name);   \
  INSTANTIATE_TEST_SUITE_P(prefix, SpineChanges, ::testing::Values(__VA_ARGS__), store_name)
