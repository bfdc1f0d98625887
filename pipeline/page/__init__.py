"""The report page, part by part: what each says, from the files that the stages wrote. Templates are in reports/."""
