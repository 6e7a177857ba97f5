-- Whether holds are to be trusted. Prelude: governor-fence.
-- Returns 1 if they are, else 0.
return is_open and 1 or 0
