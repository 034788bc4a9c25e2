// What a machine can do at most with a Hubble export on one thread: the same counting as flowdiag's reading, and
// nothing else.  Each flow becomes (source, destination, port, protocol, direction, verdict, reason, minute), with
// replies turned round, and is counted.  Strings are copied into one key; simdjson's on-demand interface skips the
// rest of a record.
//
//   g++ -O3 -march=native -o aggregate aggregate.cpp -lsimdjson      (Debian: libsimdjson-dev)
//   ./aggregate flows.jsonl        prints lines, refused records and groups

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_map>

#include "simdjson.h"

using namespace simdjson;

static std::string_view text(simdjson_result<ondemand::value> found) {
  std::string_view out;
  return found.get_string().get(out) ? std::string_view{} : out;
}

struct End {
  std::string_view space, workload;
};

static End end_of(ondemand::object flow, const char* which) {
  End end{};
  ondemand::object object;
  if (flow[which].get_object().get(object)) return end;
  end.space = text(object["namespace"]);
  ondemand::array workloads;
  if (object["workloads"].get_array().get(workloads)) return end;
  for (auto one : workloads) {
    ondemand::object workload;
    if (!one.get_object().get(workload)) end.workload = text(workload["name"]);
    break;
  }
  return end;
}

int main(int count, char** names) {
  if (count != 2) return 2;
  // Mapped, not copied: filling two gigabytes of fresh memory takes longer than the counting.  The simdjson library
  // reads a few bytes past the end, which an anonymous mapping under the file's provides.
  int file = open(names[1], O_RDONLY);
  struct stat about;
  if (file < 0 || fstat(file, &about)) return 3;
  size_t size = about.st_size;
  void* room = mmap(nullptr, size + SIMDJSON_PADDING, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return 3;
  if (mmap(room, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == MAP_FAILED) return 3;
  ondemand::parser parser;
  ondemand::document_stream stream;
  if (parser.iterate_many(static_cast<const uint8_t*>(room), size, 1 << 20).get(stream)) return 3;
  std::unordered_map<std::string, uint64_t> groups;
  groups.reserve(1 << 20);
  std::string key;
  uint64_t lines = 0, refused = 0;
  for (auto document : stream) {
    ++lines;
    ondemand::object flow;
    if (document["flow"].get_object().get(flow)) continue;
    // In the order of the fields, so that nothing is read twice.
    std::string_view time = text(flow["time"]);
    std::string_view verdict = text(flow["verdict"]);
    uint64_t from = 0, to = 0;
    std::string_view protocol;
    ondemand::object l4;
    if (!flow["l4"].get_object().get(l4)) {
      for (auto field : l4) {
        ondemand::object ports;
        if (field.unescaped_key().get(protocol) || field.value().get_object().get(ports)) break;
        uint64_t number;
        if (!ports["source_port"].get_uint64().get(number)) from = number;
        if (!ports["destination_port"].get_uint64().get(number)) to = number;
        break;
      }
    }
    End source = end_of(flow, "source");
    End destination = end_of(flow, "destination");
    std::string_view direction = text(flow["traffic_direction"]);
    std::string_view reason = text(flow["drop_reason_desc"]);
    bool reply = false;
    if (flow["is_reply"].get_bool().get(reply)) reply = false;
    if (reply) {
      std::swap(source, destination);
      std::swap(from, to);
    }
    refused += verdict == "DROPPED";
    key.clear();
    for (std::string_view part : {source.space, source.workload, destination.space, destination.workload, protocol,
                                  direction, verdict, reason, time.substr(0, 16)}) {
      key.append(part).push_back('\0');
    }
    key.append(reinterpret_cast<const char*>(&to), 2);
    ++groups[key];
  }
  std::printf("%llu %llu %zu\n", (unsigned long long)lines, (unsigned long long)refused, groups.size());
}
