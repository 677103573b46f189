#include "core/template.h"

#include <gtest/gtest.h>

namespace cronally::core {
namespace {

const TemplateValues values{.run_id = "run-1",
                            .job_id = "job-1",
                            .job_name = "say \"hi\" / ü\r\n",
                            .scheduled_at = "2026-12-01T09:00:00Z",
                            .attempt = "3"};

TEST(Template, EscapesEachValueForItsPlace) {
  struct Row {
    Place place;
    std::string_view rendered;
  };
  for (const Row& row : {
           Row{Place::url, "n=say%20%22hi%22%20%2F%20%C3%BC%0D%0A;"},
           Row{Place::form, "n=say%20%22hi%22%20%2F%20%C3%BC%0D%0A;"},
           Row{Place::json, "n=say \\\"hi\\\" / ü\\r\\n;"},
           Row{Place::header, "n=say \"hi\" / %C3%BC%0D%0A;"},
           Row{Place::text, "n=say \"hi\" / ü\r\n;"},
       }) {
    EXPECT_EQ(render("n={{job.name}};", values, row.place), row.rendered);
  }
}

TEST(Template, FindsEveryPlaceholder) {
  struct Row {
    std::string_view text, rendered;
  };
  for (const Row& row : {
           Row{"", ""},
           Row{"plain", "plain"},
           Row{"{{run.id}}", "run-1"},
           Row{"{{job.id}}{{attempt}}", "job-13"},
           Row{"{{ scheduled_at }}", "2026-12-01T09:00:00Z"},
           Row{"{{\tattempt }}!", "3!"},
           // Braces that are no placeholder stay: JSON is full of them.
           Row{"{{", "{{"},
           Row{"{\"a\":{\"b\":{}}}", "{\"a\":{\"b\":{}}}"},
           Row{"{{\"a\":1}, {{attempt}}", "{{\"a\":1}, 3"},
           Row{"{{ {{attempt}} }}", "{{ 3 }}"},
           Row{"{{{attempt}}}", "{3}"},
           Row{"{{{{attempt}}}}", "{{3}}"},
           Row{"{{\nattempt}}", "{{\nattempt}}"},
           Row{"{attempt}", "{attempt}"},
       }) {
    EXPECT_TRUE(check_placeholders(row.text)) << row.text;
    EXPECT_EQ(render(row.text, values, Place::text), row.rendered);
  }
}

TEST(Template, NoValueIsReadAsAPlaceholder) {
  TemplateValues tricky = values;
  tricky.job_name = "{{run.id}}";
  EXPECT_EQ(render("{{job.name}}", tricky, Place::text), "{{run.id}}");
}

TEST(Template, RefusesAnUnknownPlaceholderWithANearMatch) {
  struct Row {
    std::string_view text, part;
  };
  for (const Row& row : {
           Row{"{{run_id}}", "did you mean 'run.id'?"},
           Row{"{{job.nane}}", "did you mean 'job.name'?"},
           Row{"a {{attempt}} b {{ attmept }}", "did you mean 'attempt'?"},
           Row{"{{}}", "there are run.id, job.id, job.name, scheduled_at, attempt"},
           Row{"{{user}}", "no placeholder named {{user}}"},
       }) {
    const auto checked = check_placeholders(row.text);
    ASSERT_FALSE(checked) << row.text;
    EXPECT_EQ(checked.error().code, "unknown_placeholder");
    EXPECT_NE(checked.error().message.find(row.part), std::string::npos) << checked.error().message;
  }
}

}  // namespace
}  // namespace cronally::core
