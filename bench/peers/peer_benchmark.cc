// One measurement of one system, in a fresh directory: prints a line of JSON, and ends with 1 if the check of what was
// recorded fails. bench/run.py calls it again and again; bench/README.md says what the workloads are.
//
//   peer_benchmark --system=sqlite_row --workload=record --level=durable --seconds=2
//   peer_benchmark --list            what there is, a line for each system

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>

#include "bench/peers/workload.h"
#include "engine/json/writer.h"

namespace foldlog::peers {
namespace {

using Measure = absl::StatusOr<Figures> (*)(const Parameters&);

const std::map<std::string, Measure>& Workloads() {
  static const std::map<std::string, Measure> workloads = {{"record", MeasureRecording}, {"bytes", MeasureRecording},
                                                           {"stream", MeasureStream},    {"reopen", MeasureReopening},
                                                           {"scan", MeasureScan},        {"old_run", MeasureOldRun},
                                                           {"queries", MeasureQueries}};
  return workloads;
}

const char* NameOf(Level level) { return level == Level::kDurable ? "durable" : "kill_safe"; }

#ifdef NDEBUG
constexpr const char* kBuild = "release";
#else
constexpr const char* kBuild = "debug";
#endif

void Text(JsonWriter& json, std::string_view key, std::string_view value) {
  json.Key(key);
  json.String(value);
}

void Flag(JsonWriter& json, std::string_view key, bool value) {
  json.Key(key);
  json.Bool(value);
}

void List() {
  for (const std::string& name : SystemNames()) {
    const auto system = NewSystem(name);
    const Description description = system->Describe(Level::kKillSafe);
    JsonWriter json;
    json.BeginObject();
    Text(json, "system", name);
    Text(json, "version", description.version);
    json.Key("levels");
    json.BeginArray();
    for (const Level level : description.levels) json.String(NameOf(level));
    json.EndArray();
    Flag(json, "is_limit", description.is_limit);
    Flag(json, "keeps_history", description.keeps_history);
    Flag(json, "keeps_errors", description.keeps_errors);
    Flag(json, "shared", description.shared);
    Flag(json, "many_threads", description.many_threads);
    Flag(json, "singly", description.singly);
    Flag(json, "in_bulk", description.in_bulk);
    json.EndObject();
    puts(json.text().c_str());
  }
  for (const std::string& name : MissingSystemNames()) {
    fprintf(stderr, "not built: %s, whose library was missing when this was configured\n", name.c_str());
  }
}

std::string ResultOf(const Parameters& parameters, const Figures& figures) {
  const Description description = NewSystem(parameters.system)->Describe(parameters.level);
  JsonWriter json;
  json.BeginObject();
  Text(json, "system", parameters.system);
  Text(json, "workload", parameters.workload);
  Text(json, "level", NameOf(parameters.level));
  Text(json, "promise", description.promise);
  Text(json, "settings", description.settings);
  Text(json, "version", description.version);
  Text(json, "build", kBuild);
  json.Key("figures");
  json.BeginObject();
  for (const auto& [name, value] : figures) {
    json.Key(name);
    json.Float(value);
  }
  json.EndObject();
  Text(json, "check", "passed");
  json.EndObject();
  return json.Take();
}

int Run(const Parameters& parameters) {
  if (NewSystem(parameters.system) == nullptr) {
    fprintf(stderr, "peer_benchmark: no system \"%s\" was built\n", parameters.system.c_str());
    return 2;
  }
  const absl::StatusOr<Figures> figures = Workloads().at(parameters.workload)(parameters);
  if (!figures.ok()) {
    fprintf(stderr, "peer_benchmark: %s, %s: %s\n", parameters.system.c_str(), parameters.workload.c_str(),
            figures.status().ToString().c_str());
    return 1;
  }
  puts(ResultOf(parameters, *figures).c_str());
  return 0;
}

int Main(int argc, char** argv) {
  Parameters parameters;
  std::string level = "kill_safe";
  bool list = false;
  CLI::App app("One measurement of one system that keeps checkpoints");
  std::vector<std::string> workloads;
  for (const auto& [name, measure] : Workloads()) workloads.push_back(name);
  app.add_flag("--list", list, "The systems, with what each can do");
  app.add_option("--system", parameters.system, "Which one");
  app.add_option("--workload", parameters.workload, "What it is to do")->check(CLI::IsMember(workloads));
  app.add_option("--level", level, "What a checkpoint survives")->check(CLI::IsMember({"durable", "kill_safe"}));
  app.add_option("--threads", parameters.threads, "That record at once");
  app.add_option("--seconds", parameters.seconds, "The longest time for a measurement");
  app.add_option("--checkpoints", parameters.checkpoints, "The largest number for a measurement, or the one to read");
  app.add_option("--batch", parameters.batch, "Checkpoints recorded by one call")->check(CLI::Range(1, 1024));
  app.add_option("--errors", parameters.errors, "That the operation has before the measurement");
  app.add_option("--operations", parameters.operations, "In which the checkpoints are")->check(CLI::PositiveNumber);
  app.add_option("--samples", parameters.samples, "Openings, passes or questions")->check(CLI::Range(1, 64));
  app.add_option("--pace-ns", parameters.pace_ns, "One call in so long");
  app.add_option("--drop", parameters.drop, "This checkpoint is lost, which the check has to find");
  app.add_option("--directory", parameters.directory, "On the disk that is measured");
  CLI11_PARSE(app, argc, argv);
  parameters.level = level == "durable" ? Level::kDurable : Level::kKillSafe;
  if (list) return List(), 0;
  if (parameters.system.empty() || parameters.workload.empty()) {
    fputs("peer_benchmark: --list, or --system and --workload\n", stderr);
    return 2;
  }
  return Run(parameters);
}

}  // namespace
}  // namespace foldlog::peers

int main(int argc, char** argv) { return foldlog::peers::Main(argc, argv); }
