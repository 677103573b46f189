// What every whole database answers beside its spine: lists and cursors of the ledger, accounts,
// tokens, remembered answers, failure notices, and what is kept how long.
//
//   INSTANTIATE_LEDGER_CONFORMANCE(Sqlite, sqlite_factory());
#pragma once

#include "tests/conformance/ledger_accounts.h"
#include "tests/conformance/ledger_lists.h"
#include "tests/conformance/ledger_notices.h"
#include "tests/conformance/ledger_retention.h"

// To be used in the namespace cronally::conformance, once in a program for each store. The
// worlds of these suites have a database().
#define INSTANTIATE_LEDGER_CONFORMANCE(prefix, ...)                                             \
  INSTANTIATE_TEST_SUITE_P(prefix, LedgerLists, ::testing::Values(__VA_ARGS__), store_name);    \
  INSTANTIATE_TEST_SUITE_P(prefix, LedgerAccounts, ::testing::Values(__VA_ARGS__), store_name); \
  INSTANTIATE_TEST_SUITE_P(prefix, LedgerNotices, ::testing::Values(__VA_ARGS__), store_name);  \
  INSTANTIATE_TEST_SUITE_P(prefix, LedgerRetention, ::testing::Values(__VA_ARGS__), store_name)
