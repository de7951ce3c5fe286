// What a search has measured so far, line by line in a file, so that an interrupted one goes on where it was. The file
// is locked while it is open: two searches never share a folder.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>

namespace assay::tune {

class Journal {
 public:
  // Creates `folder` and the journal in it where they are absent. `identity` is an object of what the measurements
  // depend on. Throws InputError: the folder is a file or cannot be written, another process is at work in it, the
  // journal belongs to another identity (what differs is named) or is none.
  Journal(std::string folder, const nlohmann::ordered_json& identity);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const std::string& path() const { return path_; }
  size_t size() const { return entries_.size(); }
  // Null where nothing was noted under that name.
  const nlohmann::json* Find(const std::string& name) const;
  // Appends one line; the last one of a name counts.
  void Note(const std::string& name, const nlohmann::json& value);

 private:
  void Read(const nlohmann::ordered_json& identity);
  void Append(const std::string& line);

  std::string folder_, path_;
  int fd_ = -1;
  std::unordered_map<std::string, nlohmann::json> entries_;
};

}  // namespace assay::tune
