#include "cli/completion.h"

#include <algorithm>
#include <utility>

#include "cli/client.h"
#include "cli/help.h"
#include "cli/views.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

constexpr std::size_t jobs_max = 200;                       // more than anybody reads
constexpr Duration jobs_patience{std::chrono::seconds{1}};  // of a person who pressed Tab

// Where the words before the last one lead.
struct Place {
  const CLI::App* app = nullptr;
  const CLI::Option* awaits = nullptr;  // a flag whose value comes next
  std::vector<std::string> arguments;   // of the verb
  std::vector<std::pair<const CLI::Option*, std::string>> flags;
  bool flags_ended = false;  // by --
};

const CLI::App* child_of(const CLI::App& app, const std::string& name) {
  for (const CLI::App* child : app.get_subcommands({}))
    if (child->get_name() == name) return child;
  return nullptr;
}

void take_flag(Place& place, const std::string& word) {
  const std::size_t equals = word.find('=');
  const CLI::Option* flag = flag_of(*place.app, word.substr(0, equals));
  if (!flag) return;
  const bool has_value = equals != word.npos;
  place.flags.emplace_back(flag, has_value ? word.substr(equals + 1) : "");
  if (takes_value(*flag) && !has_value) place.awaits = flag;
}

Place place_behind(const CLI::App& root, std::span<const std::string> words) {
  Place place;
  place.app = &root;
  for (const std::string& word : words) {
    if (place.awaits) {
      place.flags.back().second = word;
      place.awaits = nullptr;
    } else if (!place.flags_ended && word == "--") {
      place.flags_ended = true;
    } else if (!place.flags_ended && word.size() > 1 && word.front() == '-') {
      take_flag(place, word);
    } else if (const CLI::App* child = child_of(*place.app, word)) {
      place.app = child;
    } else {
      place.arguments.push_back(word);
    }
  }
  return place;
}

GlobalFlags global_flags_of(const Place& place, const CLI::App& root) {
  GlobalFlags flags;
  for (const auto& [flag, value] : place.flags) {
    if (flag == root.get_option("--url")) flags.url = value;
    if (flag == root.get_option("--data-dir")) flags.data_dir = value;
    // Standard input is the terminal of whoever pressed Tab.
    if (flag == root.get_option("--token-file") && value != "-") flags.token_file = value;
  }
  return flags;
}

// The argument that the next word is, if the verb has that many.
const CLI::Option* next_argument(const Place& place) {
  std::size_t before = 0;
  for (const CLI::Option* option : place.app->get_options()) {
    if (!option->get_positional()) continue;
    const auto most = static_cast<std::size_t>(std::max(option->get_items_expected_max(), 1));
    if (place.arguments.size() - before < most) return option;
    before += most;
  }
  return nullptr;
}

class Completer {
 public:
  Completer(const CLI::App& root, std::span<const std::string> words)
      : root_(root),
        word_(words.back()),
        place_(place_behind(root, words.first(words.size() - 1))) {}

  Completion complete() {
    made_.flags = global_flags_of(place_, root_);
    if (place_.awaits) {
      value_of(*place_.awaits);
    } else if (!place_.flags_ended && word_.starts_with('-')) {
      flag();
    } else if (const auto children = place_.app->get_subcommands({}); !children.empty()) {
      for (const CLI::App* child : children) offer(child->get_name(), child->get_description());
    } else if (const CLI::Option* argument = next_argument(place_)) {
      value_of(*argument);
    }
    return std::move(made_);
  }

 private:
  void offer(const std::string& word, const std::string& description) {
    if (word.starts_with(word_)) made_.words.push_back({made_.before + word, description});
  }

  void flag() {
    if (const std::size_t equals = word_.find('='); equals != word_.npos) {
      const CLI::Option* option = flag_of(*place_.app, word_.substr(0, equals));
      made_.before = word_.substr(0, equals + 1);
      word_.erase(0, equals + 1);
      if (option && takes_value(*option)) value_of(*option);
      return;
    }
    for (const CLI::App* app = place_.app; app; app = app->get_parent())
      for (const CLI::Option* option : app->get_options())
        for (const std::string& name : option->get_lnames())
          // A verb's own flag hides the global one of its name; both are one candidate.
          if (flag_of(*place_.app, "--" + name) == option && !is_spent(*option))
            offer("--" + name, option->get_description());
  }

  // Given already, and it may stand only once.
  bool is_spent(const CLI::Option& option) const {
    const bool many = option.get_expected_max() > 1;
    return !many && std::ranges::any_of(place_.flags,
                                        [&](const auto& given) { return given.first == &option; });
  }

  // What a value may be is in what the help calls it: FILE, JOB, run|skip.
  void value_of(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    const std::string kind =
        option.get_positional() && !type.contains('|') ? option.get_name(true) : type;
    if (kind == "FILE") made_.kind = Completion::Kind::files;
    if (kind == "DIR") made_.kind = Completion::Kind::directories;
    if (kind == "JOB") made_.kind = Completion::Kind::jobs;
    made_.name_prefix = word_;
    if (kind == "VERB") return verb();
    if (!kind.contains('|')) return;
    for (std::size_t from = 0; from <= kind.size();) {
      const std::size_t end = std::min(kind.find('|', from), kind.size());
      offer(kind.substr(from, end - from), "");
      from = end + 1;
    }
  }

  void verb() {
    const CLI::App* app = &root_;
    for (const std::string& name : place_.arguments) {
      app = child_of(*app, name);
      if (!app) return;
    }
    for (const CLI::App* child : app->get_subcommands({}))
      offer(child->get_name(), child->get_description());
  }

  const CLI::App& root_;
  std::string word_;
  const Place place_;
  Completion made_;
};

std::vector<Candidate> jobs_of(const Completion& completion, World& world) {
  GlobalFlags flags = completion.flags;
  if (!flags.url) flags.url = world.env("CRONALLY_URL");
  if (!flags.data_dir) flags.data_dir = world.env("CRONALLY_DATA_DIR");
  Session session(world, flags);
  Outcome<Client> client = Client::open(session);
  if (!client) return {};
  client->set_timeout(jobs_patience);
  const Query query{{"name_prefix", completion.name_prefix}, {"limit", std::to_string(jobs_max)}};
  const Outcome<json::object> page = client->get_object(with_query("/v2/jobs", query));
  const json::value* items = page ? page->if_contains("items") : nullptr;
  if (!items || !items->is_array()) return {};
  std::vector<Candidate> jobs;
  for (const json::value& item : items->get_array())
    if (item.is_object())
      jobs.push_back({completion.before + std::string(text_at(item.get_object(), "name")),
                      std::string(text_at(item.get_object(), "schedule"))});
  return jobs;
}

// In one line each, whatever a server far away may say.
std::string one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c >= 0 && c < ' '; }, ' ');
  return text;
}

}  // namespace

Completion complete(const CLI::App& root, std::span<const std::string> words) {
  const std::string empty;
  return Completer(root, words.empty() ? std::span(&empty, 1) : words).complete();
}

void answer_completion(const CLI::App& root, std::span<const std::string> words, World& world) {
  Completion completion = complete(root, words);
  std::ostream& out = world.streams.out;
  if (completion.kind == Completion::Kind::files) out << "files\n";
  if (completion.kind == Completion::Kind::directories) out << "directories\n";
  if (completion.kind == Completion::Kind::jobs) completion.words = jobs_of(completion, world);
  if (completion.kind == Completion::Kind::jobs || completion.kind == Completion::Kind::words)
    out << "words\n";
  for (const Candidate& each : completion.words)
    out << one_line(each.word) << "\t" << one_line(each.description) << "\n";
  out << std::flush;
}

}  // namespace cronally::cli
