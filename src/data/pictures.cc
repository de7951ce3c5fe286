// Data sets of picture files: a subfolder per class, and ImageNet's two ways of naming labels.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "data/csv_text.h"
#include "data/dataset.h"

namespace assay::data {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxPictureBytes = uint64_t{1} << 30;
constexpr int64_t kImageNetClasses = 1000;

class PictureFiles final : public Dataset {
 public:
  struct Item {
    std::string path;
    int64_t label = 0;
  };

  size_t size() const override { return items.size(); }
  bool holds_pictures() const override { return true; }
  int64_t LabelOf(size_t index) const override { return items[index].label; }
  Sample Load(size_t index) const override {
    const Item& item = items[index];
    const auto file = MappedFile::Open(item.path, kMaxPictureBytes);
    Sample sample;
    sample.name = item.path;
    sample.label = item.label;
    sample.picture.assign(file->bytes().begin(), file->bytes().end());
    return sample;
  }
  void SetClasses(int64_t count, std::vector<std::string> names, int64_t ignored) {
    label_count_ = count;
    class_names_ = std::move(names);
    ignored_files_ = ignored;
  }

  std::vector<Item> items;
};

bool IsPictureName(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

// Names in byte order, hidden ones left out.
std::vector<fs::path> Entries(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().rfind('.', 0) != 0) entries.push_back(it->path());
  }
  if (error) throw InputError("{}: cannot list the folder: {}", directory.string(), error.message());
  std::sort(entries.begin(), entries.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return entries;
}

bool IsFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

}  // namespace

std::unique_ptr<Dataset> OpenFolder(const std::string& directory) {
  auto dataset = std::make_unique<PictureFiles>();
  std::vector<std::string> names;
  int64_t ignored = 0;
  for (const fs::path& folder : Entries(directory)) {
    if (!IsFolder(folder)) {
      ++ignored;
      continue;
    }
    const auto label = static_cast<int64_t>(names.size());
    names.push_back(folder.filename().string());
    for (const fs::path& file : Entries(folder)) {
      if (IsFolder(file) || !IsPictureName(file)) {
        ++ignored;
      } else {
        dataset->items.push_back({file.string(), label});
      }
    }
  }
  if (names.empty()) throw InputError("{}: has no subfolders; expected one per class", directory);
  if (dataset->items.empty()) throw InputError("{}: has no .jpg, .jpeg or .png file in its subfolders", directory);
  const auto count = static_cast<int64_t>(names.size());
  dataset->SetClasses(count, std::move(names), ignored);
  return dataset;
}

std::unique_ptr<Dataset> OpenImageNet(const std::string& directory, const std::string& labels) {
  std::vector<CsvRow> rows = ReadCsv(labels);
  if (rows.empty()) throw InputError("{}: is empty", labels);
  const std::vector<std::string> header = rows[0].fields;
  const bool by_wnid = header.size() >= 2 && header[0] == "class_index" && header[1] == "wnid";
  const bool by_file = header.size() >= 2 && header[0] == "file" && header[1] == "label";
  // A file without header is told by its first field: an integer means class_index,wnid.
  const bool headless_wnid = !by_wnid && !by_file && header.size() >= 2 && header[1].rfind('n', 0) == 0;
  if (by_wnid || by_file) rows.erase(rows.begin());
  auto dataset = std::make_unique<PictureFiles>();
  std::map<std::string, int64_t> label_of;
  std::vector<std::string> names;
  const bool wnids = by_wnid || headless_wnid;
  for (const CsvRow& row : rows) {
    if (row.fields.size() < 2) throw InputError("{}: line {}: expected at least 2 fields", labels, row.line);
    const int64_t label = CsvInteger(labels, row, wnids ? 0 : 1);
    if (label < 0 || label > kMaxLabel)
      throw InputError("{}: line {}: label {} is out of range", labels, row.line, label);
    const std::string& key = row.fields[wnids ? 1 : 0];
    if (!label_of.emplace(key, label).second) throw InputError("{}: line {}: '{}' occurs twice", labels, row.line, key);
    if (wnids) {
      if (names.size() <= static_cast<size_t>(label)) names.resize(static_cast<size_t>(label) + 1);
      names[static_cast<size_t>(label)] = row.fields.size() > 2 ? row.fields[2] : key;
    }
  }
  int64_t ignored = 0, largest = 0;
  for (const fs::path& file : Entries(directory)) {
    if (IsFolder(file) || !IsPictureName(file)) {
      ++ignored;
      continue;
    }
    // n01440764.JPEG and n01440764_18.JPEG; or the file's own name in the list.
    const std::string stem = file.stem().string();
    const auto found = wnids ? label_of.find(stem.substr(0, stem.find('_'))) : label_of.find(file.filename().string());
    if (found == label_of.end()) {
      throw InputError("{}: has no row for the picture {}", labels, file.string());
    }
    largest = std::max(largest, found->second);
    dataset->items.push_back({file.string(), found->second});
  }
  if (dataset->items.empty()) throw InputError("{}: has no .jpg, .jpeg or .png file", directory);
  const int64_t count = wnids ? static_cast<int64_t>(names.size()) : std::max(largest + 1, kImageNetClasses);
  dataset->SetClasses(count, std::move(names), ignored);
  return dataset;
}

}  // namespace assay::data
