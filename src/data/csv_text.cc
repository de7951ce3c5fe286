#include "data/csv_text.h"

#include <charconv>

#include "base/error.h"
#include "base/mapped_file.h"

namespace assay::data {
namespace {

std::string Trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

std::vector<CsvRow> ReadCsv(const std::string& path) {
  const std::string text = ReadTextFile(path);
  std::vector<CsvRow> rows;
  CsvRow row{.line = 1, .fields = {}};
  std::string field;
  bool quoted = false, was_quoted = false;
  int64_t line = 1;
  const auto end_field = [&] {
    row.fields.push_back(was_quoted ? field : Trimmed(field));
    field.clear();
    was_quoted = false;
  };
  const auto end_row = [&] {
    end_field();
    if (row.fields.size() > 1 || !row.fields[0].empty()) rows.push_back(row);
    row = {.line = line, .fields = {}};
  };
  size_t i = text.rfind("\xEF\xBB\xBF", 0) == 0 ? 3 : 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\n') ++line;
      if (c != '"') {
        field += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += '"';
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"' && Trimmed(field).empty()) {
      quoted = was_quoted = true;
      field.clear();
    } else if (c == ',') {
      end_field();
    } else if (c == '\n') {
      ++line;
      end_row();
    } else if (!was_quoted || (c != '\r' && c != ' ' && c != '\t')) {
      field += c;
    }
  }
  if (quoted) throw InputError("{}: line {}: a quoted field does not end", path, row.line);
  if (!field.empty() || !row.fields.empty()) end_row();
  return rows;
}

int64_t CsvInteger(const std::string& path, const CsvRow& row, size_t field) {
  if (field >= row.fields.size()) {
    throw InputError("{}: line {}: has {} fields, expected at least {}", path, row.line, row.fields.size(), field + 1);
  }
  const std::string& text = row.fields[field];
  int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size()) {
    throw InputError("{}: line {}: '{}' is not an integer", path, row.line, text);
  }
  return value;
}

}  // namespace assay::data
